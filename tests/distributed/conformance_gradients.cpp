// Transposes, re-sharding and the synchronisation of gradients. Numbers are small and whole, so
// that every sum is exact and comparisons need no tolerance.
#include <algorithm>

#include "distributed/collectives.h"
#include "distributed/context_parallel.h"
#include "distributed/gradient_sync.h"
#include "tests/distributed/conformance.h"

namespace crocuta::test {
namespace {

constexpr Sharding kShardings[] = {Sharding::contiguous, Sharding::zigzag};

// Whole numbers from -8 to 8 in float64, different on each rank.
Tensor small_values(int seed, const ProcessGroup& group, Shape shape) {
  std::vector<double> values =
      rank_values(seed, group.rank(), shape, DType::int64).to_vector<double>();
  for (double& value : values) value = static_cast<double>(static_cast<int>(value) % 9);
  return from_vector(values, std::move(shape));
}

double dot(const Tensor& a, const Tensor& b) {
  return sum(a.detach() * b.detach()).item();
}

using LinearMap = std::function<Tensor(const Tensor&)>;

// sum_r <A x, g> = sum_r <x, A^T g>, with x of this shape and A^T by backward().
void expect_adjoint(const ProcessGroup& world, const Shape& shape, const LinearMap& map) {
  const Tensor x = small_values(11, world, shape);
  x.set_requires_grad();
  const Tensor y = map(x);
  const Tensor g = small_values(12, world, y.shape());
  y.backward(g);
  EXPECT(x.grad().shape() == x.shape());
  const Tensor both = tensor({dot(y, g), dot(x, x.grad())}, {.dtype = DType::float64});
  const auto total = world.all_reduce(both).to_vector<double>();
  EXPECT(total[0] == total[1]);
  EXPECT(total[0] != 0 || x.numel() == 0);
}

void every_collective_passes_the_adjoint_test(const ProcessGroup& world) {
  const std::int64_t P = world.size();
  expect_adjoint(world, {3, 5}, [&](const Tensor& x) { return all_reduce_sum(x, world); });
  expect_adjoint(world, {P, 3, 2}, [&](const Tensor& x) { return all_to_all(x, world); });
  for (const int dim : {0, 1, 2, -1}) {
    expect_adjoint(world, {2, 3, 4}, [&](const Tensor& x) { return all_gather(x, dim, world); });
    expect_adjoint(world, {2 * P, 3 * P, P},
                   [&](const Tensor& x) { return reduce_scatter(x, dim, world); });
  }
  for (int root = 0; root < P; ++root) {
    expect_adjoint(world, {4, 3}, [&](const Tensor& x) { return broadcast(x, root, world); });
  }
  expect_adjoint(world, {0, 3}, [&](const Tensor& x) { return all_gather(x, 1, world); });
}

void every_resharding_passes_the_adjoint_test(const ProcessGroup& world) {
  const std::int64_t P = world.size();
  for (const Sharding sharding : kShardings) {
    expect_adjoint(world, {2, 3 * P, 4},
                   [&](const Tensor& x) { return seq_to_channel(x, world, sharding); });
    expect_adjoint(world, {2, 3, 4 * P},
                   [&](const Tensor& x) { return channel_to_seq(x, world, sharding); });
    expect_adjoint(world, {2, 4 * P, 3},
                   [&](const Tensor& x) { return shard_sequence(x, 1, world, sharding); });
    expect_adjoint(world, {2, 4, 3},
                   [&](const Tensor& x) { return unshard(x, 1, world, sharding); });
  }
}

void gathering_and_scattering_work_along_any_dimension(const ProcessGroup& world) {
  const std::int64_t P = world.size();
  for (const int dim : {0, 1, 2}) {
    std::vector<Tensor> parts;
    for (int r = 0; r < P; ++r) parts.push_back(rank_values(13, r, {2, 3, 4}, DType::float32));
    const Tensor y = all_gather(parts[static_cast<std::size_t>(world.rank())], dim, world);
    EXPECT(same_bits(y, cat(parts, dim)));
    const std::int64_t n = parts[0].size(dim);
    EXPECT(same_bits(reduce_scatter(y, dim, world),
                     narrow(world.all_reduce(y), dim, world.rank() * n, n)));
  }
}

void a_chain_of_collectives_has_the_gradient_of_its_formula(const ProcessGroup& world) {
  // loss_r = sum((r+1) * all_reduce(x)^2): d/dx_s = sum_r 2 (r+1) * total
  const int P = world.size();
  const Tensor x = small_values(14, world, {5});
  x.set_requires_grad();
  const Tensor total = all_reduce_sum(x, world);
  (sum(total * total) * (world.rank() + 1.0)).backward();
  EXPECT(same_bits(x.grad(), total.detach() * (P * (P + 1.0))));
}

// Element (b, c, t) of the whole tensor says where it belongs.
Tensor whole_tensor(std::int64_t B, std::int64_t C, std::int64_t L, DType dtype) {
  return reshape(arange(B * C * L), {B, C, L}).to(dtype);
}

void resharding_moves_each_element_to_its_place(const ProcessGroup& world) {
  const std::int64_t P = world.size();
  for (const Sharding sharding : kShardings) {
    for (const DType dtype : kAllDTypes) {
      for (const std::int64_t B : {1, 3}) {
        const Tensor whole = whole_tensor(B, 2 * P, 4 * P, dtype);
        const Tensor part = shard_sequence(whole, 2, world, sharding).contiguous();
        EXPECT(part.shape() == Shape{B, 2 * P, 4});
        const Tensor channels = seq_to_channel(part, world, sharding);
        EXPECT(same_bits(channels, narrow(whole, 1, 2 * world.rank(), 2)));
        EXPECT(channels.is_contiguous());
        EXPECT(same_bits(channel_to_seq(channels, world, sharding), part));
        EXPECT(same_bits(unshard(part, 2, world, sharding), whole));
        // A view gives the same as its contiguous copy.
        const Tensor view = transpose(transpose(part, 1, 2).contiguous(), 1, 2);
        EXPECT(same_bits(seq_to_channel(view, world, sharding), channels));
      }
    }
  }
}

void empty_sequences_and_batches_reshard(const ProcessGroup& world) {
  const std::int64_t P = world.size();
  EXPECT(seq_to_channel(empty({0, P, 4}), world).shape() == Shape{0, 1, 4 * P});
  EXPECT(seq_to_channel(empty({2, 3 * P, 0}), world).shape() == Shape{2, 3, 0});
  EXPECT(channel_to_seq(empty({2, 3, 0}), world).shape() == Shape{2, 3 * P, 0});
}

void positions_follow_the_sharding(const ProcessGroup& world) {
  const std::int64_t P = world.size(), r = world.rank();
  EXPECT(local_positions(3 * P, world).to_vector<std::int64_t>() ==
         std::vector<std::int64_t>{3 * r, 3 * r + 1, 3 * r + 2});
  const std::int64_t mirrored = 2 * (2 * P - 1 - r);
  const std::vector<std::int64_t> zigzag =
      P == 1 ? std::vector<std::int64_t>{0, 1, 2, 3}
             : std::vector<std::int64_t>{2 * r, 2 * r + 1, mirrored, mirrored + 1};
  EXPECT(local_positions(4 * P, world, Sharding::zigzag).to_vector<std::int64_t>() == zigzag);
}

void a_resharding_sends_each_element_at_most_once(const ProcessGroup& world) {
  const auto P = static_cast<std::uint64_t>(world.size());
  world.reset_stats();
  const std::int64_t B = 2, d = 3 * world.size(), part = 8;
  seq_to_channel(zeros({B, d, part}), world);
  channel_to_seq(zeros({B, d / world.size(), part * world.size()}), world);
  const CommCount moved = world.stats()[Collective::all_to_all];
  const auto elements = static_cast<std::uint64_t>(B * d * part);
  EXPECT(moved.calls == (P == 1 ? 0u : 2u));  // nothing to do for one rank
  EXPECT(moved.elements == (P == 1 ? 0 : 2 * elements));
  EXPECT(moved.sent_bytes == 2 * elements * (P - 1) / P * sizeof(float));
}

void gradients_are_summed_over_ranks_and_dtypes(const ProcessGroup& world) {
  const int P = world.size();
  std::vector<Tensor> parameters;
  std::vector<std::vector<Tensor>> grads;  // [parameter][rank]
  const DType dtypes[] = {DType::float32, DType::bfloat16, DType::float64, DType::float16,
                          DType::float32};
  int seed = 20;
  for (const DType dtype : dtypes) {
    const Tensor parameter = zeros({3, seed - 18}, {.dtype = dtype});
    parameter.set_requires_grad();
    parameters.push_back(parameter);
    grads.emplace_back();
    for (int r = 0; r < P; ++r) {
      grads.back().push_back(rank_values(seed, r, parameter.shape(), dtype));
    }
    parameter.set_grad(grads.back()[static_cast<std::size_t>(world.rank())]);
    ++seed;
  }
  world.reset_stats();
  sync_gradients(parameters, world);
  EXPECT(world.stats()[Collective::all_reduce].calls == (P == 1 ? 0u : 4u));  // one per dtype
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    const DType exact = dtypes[i] == DType::float64 ? DType::float64 : DType::float32;
    Tensor expected = grads[i][0].to(exact);
    for (int r = 1; r < P; ++r) {
      expected = expected + grads[i][static_cast<std::size_t>(r)].to(exact);
    }
    EXPECT(same_bits(parameters[i].grad(), expected.to(dtypes[i])));
  }
}

void a_missing_gradient_counts_as_zeros(const ProcessGroup& world) {
  const std::vector<Tensor> parameters = {zeros({4}), zeros({2, 2}), zeros({3})};
  for (const Tensor& parameter : parameters) parameter.set_requires_grad();
  const int last = world.size() - 1;
  if (world.rank() == last) parameters[0].set_grad(full({4}, 3));
  parameters[2].set_grad(ones({3}));
  sync_gradients(parameters, world);
  EXPECT(parameters[0].grad().to_vector() == std::vector<float>(4, 3));
  EXPECT(parameters[1].grad().shape() == Shape{2, 2});
  EXPECT(parameters[1].grad().to_vector() == std::vector<float>(4, 0));
  EXPECT(parameters[2].grad().to_vector() == std::vector<float>(3, static_cast<float>(last + 1)));
  sync_gradients({}, world);
}

void synced_gradients_share_nothing_with_the_old_ones(const ProcessGroup& world) {
  const Tensor a = zeros({2}), b = zeros({2});
  a.set_requires_grad();
  b.set_requires_grad();
  const Tensor shared = ones({2});
  a.set_grad(shared);
  b.set_grad(shared);
  sync_gradients({a, b}, world);
  const auto expected = std::vector<float>(2, static_cast<float>(world.size()));
  EXPECT(a.grad().to_vector() == expected);
  EXPECT(b.grad().to_vector() == expected);
  EXPECT(shared.to_vector() == std::vector<float>(2, 1));
}

void different_parameters_are_noticed(const ProcessGroup& world) {
  const int last = world.size() - 1;
  const auto parameters = [&](double value, Shape shape, DType dtype) {
    return std::vector<NamedTensor>{{"first", ones({3})},
                                    {"second", full(std::move(shape), value, {.dtype = dtype})}};
  };
  check_same_parameters(parameters(1, {2, 3}, DType::float32), world);
  check_same_parameters({}, world);
  if (last == 0) return;
  const bool odd = world.rank() == last;
  const std::vector<std::string> texts = {"check_same_parameters: 'second'", "rank 0",
                                          str("rank ", last)};
  expect_throw<CommError>(
      [&] {
        // One bit.
        check_same_parameters(parameters(odd ? 1 + 0x1p-23 : 1, {2, 3}, DType::float32), world);
      },
      texts);
  expect_throw<CommError>(
      [&] {
        check_same_parameters(parameters(1, odd ? Shape{3, 2} : Shape{2, 3}, DType::float32),
                              world);
      },
      texts);
  expect_throw<CommError>(
      [&] {
        // Zeros have the same bits in both types.
        check_same_parameters(parameters(0, {2}, odd ? DType::float16 : DType::bfloat16), world);
      },
      texts);
  std::vector<NamedTensor> fewer = parameters(1, {2}, DType::float32);
  if (odd) fewer.pop_back();
  expect_throw<CommError>([&] { check_same_parameters(fewer, world); },
                          {str("rank ", last), "the 2 parameters of rank 0", "got 1"});
}

}  // namespace

std::vector<ConformanceCase> gradient_cases() {
  return {
      {"every collective passes the adjoint test", every_collective_passes_the_adjoint_test},
      {"every re-sharding passes the adjoint test", every_resharding_passes_the_adjoint_test},
      {"gathering and scattering work along any dimension",
       gathering_and_scattering_work_along_any_dimension},
      {"a chain of collectives has the gradient of its formula",
       a_chain_of_collectives_has_the_gradient_of_its_formula},
      {"re-sharding moves each element to its place", resharding_moves_each_element_to_its_place},
      {"empty sequences and batches re-shard", empty_sequences_and_batches_reshard},
      {"positions follow the sharding", positions_follow_the_sharding},
      {"a re-sharding sends each element at most once",
       a_resharding_sends_each_element_at_most_once},
      {"gradients are summed over ranks and dtypes", gradients_are_summed_over_ranks_and_dtypes},
      {"a missing gradient counts as zeros", a_missing_gradient_counts_as_zeros},
      {"synced gradients share nothing with the old ones",
       synced_gradients_share_nothing_with_the_old_ones},
      {"different parameters are noticed", different_parameters_are_noticed},
  };
}

}  // namespace crocuta::test
