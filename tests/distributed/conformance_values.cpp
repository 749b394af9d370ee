// What arrives: every collective, dtype and size, against values that each rank works out alone.
#include <algorithm>
#include <cmath>
#include <limits>

#include "distributed/context_parallel.h"
#include "framework/tensor/dispatch.h"
#include "tests/distributed/conformance.h"

namespace crocuta::test {
namespace {

std::uint64_t scramble(std::uint64_t x) {  // the finalizer of splitmix64
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

}  // namespace

Tensor rank_values(int seed, int rank, Shape shape, DType dtype) {
  std::vector<double> values(static_cast<std::size_t>(element_count(shape)));
  std::uint64_t state = scramble(static_cast<std::uint64_t>(seed * 1000 + rank + 1));
  for (double& value : values) {
    state = scramble(state + 0x9e3779b97f4a7c15u);
    const double fraction = static_cast<double>(state >> 40) * 0x1p-23 - 1.0;  // [-1, 1)
    value = is_floating(dtype) ? std::ldexp(fraction, static_cast<int>(state % 12))
                               : std::floor(fraction * 1e6);
  }
  return from_vector(values, std::move(shape), {.dtype = dtype});
}

namespace {

// Sizes around the ranks' shares and the blocks in which reductions work.
const std::int64_t kSizes[] = {0, 1, 3, 8, 1023, 4099};

// The reduction in rank order by the definition, in the type that the header promises.
template <class Accumulator>
Tensor reduced(const std::vector<Tensor>& inputs, ReduceOp op) {
  std::vector<Accumulator> total = inputs[0].to_vector<Accumulator>();
  for (std::size_t r = 1; r < inputs.size(); ++r) {
    const std::vector<Accumulator> next = inputs[r].to_vector<Accumulator>();
    for (std::size_t i = 0; i < total.size(); ++i) {
      total[i] = op == ReduceOp::sum ? total[i] + next[i] : std::max(total[i], next[i]);
    }
  }
  return from_vector(total, inputs[0].shape()).to(inputs[0].dtype());
}
Tensor reduced(const std::vector<Tensor>& inputs, ReduceOp op) {
  switch (inputs[0].dtype()) {
    case DType::float64:
      return reduced<double>(inputs, op);
    case DType::int64:
      return reduced<std::int64_t>(inputs, op);
    case DType::int32:
      return reduced<std::int32_t>(inputs, op);
    default:
      return reduced<float>(inputs, op);
  }
}

std::vector<Tensor> everybodys(int seed, int ranks, const Shape& shape, DType dtype) {
  std::vector<Tensor> all;
  for (int r = 0; r < ranks; ++r) all.push_back(rank_values(seed, r, shape, dtype));
  return all;
}

void all_to_all_transposes_blocks(const ProcessGroup& world) {
  const int P = world.size();
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t n : kSizes) {
      const auto inputs = everybodys(1, P, {P, n}, dtype);
      const auto me = static_cast<std::size_t>(world.rank());
      const Tensor y = world.all_to_all(inputs[me]);
      EXPECT(y.shape() == Shape{P, n});
      for (int p = 0; p < P; ++p) {
        EXPECT(same_bits(select(y, 0, p),
                         select(inputs[static_cast<std::size_t>(p)], 0, world.rank())));
      }
    }
  }
}

void all_reduce_adds_in_rank_order(const ProcessGroup& world) {
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t n : kSizes) {
      for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
        const auto inputs = everybodys(2, world.size(), {n}, dtype);
        const Tensor y = world.all_reduce(inputs[static_cast<std::size_t>(world.rank())], op);
        EXPECT(same_bits(y, reduced(inputs, op)));
      }
    }
  }
}

void a_maximum_keeps_nan_and_infinity(const ProcessGroup& world) {
  const double inf = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const bool last = world.rank() == world.size() - 1;
  const Tensor x = tensor({last ? nan : 1, last ? 1 : nan, last ? inf : 0, last ? -inf : -5});
  const auto y = world.all_reduce(x, ReduceOp::max).to_vector<double>();
  const bool alone = world.size() == 1;
  EXPECT(std::isnan(y[0]));
  EXPECT(alone ? y[1] == 1 : std::isnan(y[1]));
  EXPECT(y[2] == inf);
  EXPECT(y[3] == (alone ? -inf : -5));
}

void all_gather_joins_in_rank_order(const ProcessGroup& world) {
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t n : kSizes) {
      const auto inputs = everybodys(3, world.size(), {n, 2}, dtype);
      const Tensor y = world.all_gather(inputs[static_cast<std::size_t>(world.rank())]);
      EXPECT(y.shape() == Shape{world.size(), n, 2});
      for (int p = 0; p < world.size(); ++p) {
        EXPECT(same_bits(select(y, 0, p), inputs[static_cast<std::size_t>(p)]));
      }
    }
  }
}

void reduce_scatter_gives_each_rank_its_block_of_the_sum(const ProcessGroup& world) {
  for (const DType dtype : kAllDTypes) {
    for (const std::int64_t n : kSizes) {
      for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
        const auto inputs = everybodys(4, world.size(), {world.size(), n}, dtype);
        const Tensor y = world.reduce_scatter(inputs[static_cast<std::size_t>(world.rank())], op);
        EXPECT(same_bits(y, select(reduced(inputs, op), 0, world.rank())));
      }
    }
  }
}

void broadcast_copies_the_root(const ProcessGroup& world) {
  for (const DType dtype : kAllDTypes) {
    for (int root = 0; root < world.size(); ++root) {
      const auto inputs = everybodys(5, world.size(), {3, 7}, dtype);
      const Tensor y = world.broadcast(inputs[static_cast<std::size_t>(world.rank())], root);
      EXPECT(same_bits(y, inputs[static_cast<std::size_t>(root)]));
    }
  }
}

void scalars_and_empty_tensors_travel(const ProcessGroup& world) {
  EXPECT(world.all_reduce(full({}, 2.0)).item() == 2.0 * world.size());
  EXPECT(world.all_gather(full({}, 1.0)).shape() == Shape{world.size()});
  EXPECT(world.broadcast(empty({0, 3}), world.size() - 1).shape() == Shape{0, 3});
  EXPECT(world.all_to_all(empty({world.size(), 0})).shape() == Shape{world.size(), 0});
  EXPECT(world.reduce_scatter(empty({world.size(), 0, 5})).shape() == Shape{0, 5});
  world.barrier();
}

void results_are_where_the_tensor_is(const ProcessGroup& world) {
  for (const Device device : {default_device(), Device::cpu()}) {
    const Tensor x = ones({world.size(), 3}, {.device = device});
    EXPECT(world.all_to_all(x).device() == device);
    EXPECT(world.all_reduce(x).device() == device);
    EXPECT(world.all_gather(x).device() == device);
    EXPECT(world.reduce_scatter(x).device() == device);
    EXPECT(world.broadcast(x, 0).device() == device);
    EXPECT(world.all_reduce(zeros({0}, {.device = device})).device() == device);
  }
}

void strided_inputs_are_taken_by_value(const ProcessGroup& world) {
  const Tensor x = rank_values(6, world.rank(), {5, 4}, DType::float32);
  const Tensor view = transpose(x, 0, 1);
  EXPECT(same_bits(world.all_reduce(view), world.all_reduce(view.clone())));
  const Tensor before = x.clone();
  world.all_reduce(x);
  world.broadcast(x, 0);
  EXPECT(same_bits(x, before));
}

void large_tensors_travel(const ProcessGroup& world) {
  const std::int64_t n = (1 << 20) + 3;
  const Tensor sum = world.all_reduce(full({n}, world.rank() + 1));
  const int P = world.size();
  const double expected = P * (P + 1) / 2.0;
  for (const float value : sum.to_vector<float>()) EXPECT(value == expected);
}

void repeated_reductions_have_the_same_bits(const ProcessGroup& world) {
  const Tensor x = rank_values(7, world.rank(), {3001}, DType::float32);
  const Tensor first = world.all_reduce(x);
  for (int i = 0; i < 20; ++i) EXPECT(same_bits(world.all_reduce(x), first));
  const Tensor from_all = world.all_gather(first);
  for (int p = 0; p < world.size(); ++p) EXPECT(same_bits(select(from_all, 0, p), first));
}

void a_barrier_waits_for_all(const ProcessGroup& world) {
  for (int i = 0; i < 50; ++i) world.barrier();
  EXPECT(world.stats()[Collective::barrier].calls >= 50);
}

void split_orders_by_key_and_leaves_out_negative_colors(const ProcessGroup& world) {
  const int rank = world.rank(), P = world.size();
  // Even and odd ranks, each in reverse order.
  const ProcessGroup half = world.split(rank % 2, -rank);
  const int members = (P + 1 - rank % 2) / 2;
  EXPECT(half.size() == members);
  EXPECT(half.rank() == members - 1 - rank / 2);
  const auto seen = half.all_gather(full({}, rank, {.dtype = DType::int64}));
  for (int i = 0; i < members; ++i) {
    EXPECT(select(seen, 0, i).item() == 2 * (members - 1 - i) + rank % 2);
  }
  // Equal keys keep the order of ranks; a group of a group works the same.
  const ProcessGroup again = half.split(7, 0);
  EXPECT(again.size() == half.size());
  EXPECT(again.rank() == half.rank());
  EXPECT(again.all_reduce(full({}, 1)).item() == members);

  const ProcessGroup without_last = world.split(rank == P - 1 ? -1 : 0, rank);
  if (rank < P - 1) {
    EXPECT(without_last.size() == P - 1);
    without_last.barrier();
  } else {
    expect_throw<CommError>([&] { without_last.barrier(); }, {"not a member"});
    expect_throw<CommError>([&] { static_cast<void>(without_last.rank()); }, {"not a member"});
  }
  // Ranks alone.
  const ProcessGroup alone = world.split(rank, 0);
  EXPECT(alone.size() == 1);
  EXPECT(alone.all_reduce(full({}, rank)).item() == rank);
}

void groups_do_not_disturb_each_other(const ProcessGroup& world) {
  const ProcessGroup a = world.split(world.rank() % 2, 0);
  const ProcessGroup b = world.split(world.rank() / 2, 0);
  for (int i = 0; i < 30; ++i) {
    EXPECT(a.all_reduce(full({}, 1)).item() == a.size());
    EXPECT(b.all_reduce(full({}, 10)).item() == 10 * b.size());
    EXPECT(world.all_reduce(full({}, 100)).item() == 100 * world.size());
  }
}

void stats_count_what_leaves_the_rank(const ProcessGroup& world) {
  const auto P = static_cast<std::uint64_t>(world.size());
  world.reset_stats();
  world.all_to_all(zeros({world.size(), 6}));
  world.all_to_all(zeros({world.size(), 6}));
  const CommCount moved = world.stats()[Collective::all_to_all];
  EXPECT(moved.calls == 2);
  EXPECT(moved.elements == 2 * P * 6);
  EXPECT(moved.sent_bytes == 2 * (P - 1) * 6 * sizeof(float));

  const auto n = static_cast<std::int64_t>(5 * P);
  world.all_reduce(zeros({n}, {.dtype = DType::float64}));
  const CommCount reduced = world.stats()[Collective::all_reduce];
  EXPECT(reduced.calls == 1);
  EXPECT(reduced.elements == 5 * P);
  EXPECT(reduced.sent_bytes == 2 * (P - 1) * 5 * sizeof(double));  // 2 (P-1)/P of the buffer
  EXPECT(world.stats()[Collective::broadcast].calls == 0);
  world.reset_stats();
  EXPECT(world.stats()[Collective::all_to_all].calls == 0);
}

void the_world_divides_into_data_and_context_parallel_groups(const ProcessGroup& world) {
  for (int cp = 1; cp <= world.size(); ++cp) {
    if (world.size() % cp != 0) {
      expect_throw<ArgumentError>([&] { make_parallel(world, cp); },
                                  {"context parallel: 'size'", str("got ", cp)});
      continue;
    }
    const ParallelContext parallel = make_parallel(world, cp);
    EXPECT(parallel.world.size() == world.size());
    EXPECT(parallel.context_parallel.size() == cp);
    EXPECT(parallel.context_parallel.rank() == world.rank() % cp);
    EXPECT(parallel.data_parallel.size() == world.size() / cp);
    EXPECT(parallel.data_parallel.rank() == world.rank() / cp);
    // Neighbours share a context-parallel group.
    const auto ranks = parallel.context_parallel.all_gather(full({}, world.rank()));
    for (int i = 0; i < cp; ++i) {
      EXPECT(select(ranks, 0, i).item() == world.rank() / cp * cp + i);
    }
  }
  expect_throw<ArgumentError>([&] { make_parallel(world, 0); }, {"got 0"});
  expect_throw<ArgumentError>([&] { make_parallel(world, -2); }, {"got -2"});
}

}  // namespace

std::vector<ConformanceCase> value_cases() {
  return {
      {"all_to_all transposes blocks", all_to_all_transposes_blocks},
      {"all_reduce adds in rank order, bit for bit", all_reduce_adds_in_rank_order},
      {"a maximum keeps NaN and infinity", a_maximum_keeps_nan_and_infinity},
      {"all_gather joins in rank order", all_gather_joins_in_rank_order},
      {"reduce_scatter gives each rank its block of the sum",
       reduce_scatter_gives_each_rank_its_block_of_the_sum},
      {"broadcast copies the root", broadcast_copies_the_root},
      {"scalars and empty tensors travel", scalars_and_empty_tensors_travel},
      {"results are where the tensor is", results_are_where_the_tensor_is},
      {"strided inputs are taken by value", strided_inputs_are_taken_by_value},
      {"large tensors travel", large_tensors_travel},
      {"repeated reductions have the same bits", repeated_reductions_have_the_same_bits},
      {"a barrier waits for all", a_barrier_waits_for_all},
      {"split orders by key and leaves out negative colors",
       split_orders_by_key_and_leaves_out_negative_colors},
      {"groups do not disturb each other", groups_do_not_disturb_each_other},
      {"stats count what leaves the rank", stats_count_what_leaves_the_rank},
      {"the world divides into data- and context-parallel groups",
       the_world_divides_into_data_and_context_parallel_groups},
  };
}

}  // namespace crocuta::test
