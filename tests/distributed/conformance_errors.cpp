// What goes wrong, and that it goes wrong alike on all ranks and leaves the group usable.
#include "distributed/collectives.h"
#include "distributed/context_parallel.h"
#include "tests/distributed/conformance.h"

namespace crocuta::test {
namespace {

// If a rank had sent something that the others did not expect, this would not come out right.
void expect_usable(const ProcessGroup& world) {
  EXPECT(world.all_reduce(full({}, 1)).item() == world.size());
}

void bad_arguments_are_errors_before_anything_is_sent(const ProcessGroup& world) {
  const int P = world.size();
  world.reset_stats();
  for (const int root : {-1, P, 1000}) {
    expect_throw<CommError>([&] { world.broadcast(ones({2}), root); },
                            {"broadcast: 'root': expected a rank from 0 to", str("got ", root)});
  }
  const std::string blocks = str("'x': expected [", P, ", ...], one block for each rank, got ");
  expect_throw<ShapeError>(
      [&] {
        world.all_to_all(ones({P + 1, 2}));
      },
      {"all_to_all: " + blocks, to_string({P + 1, 2})});
  expect_throw<ShapeError>([&] { world.all_to_all(full({}, 1)); }, {blocks + "[]"});
  expect_throw<ShapeError>([&] { world.reduce_scatter(ones({2 * P})); },
                           {"reduce_scatter: " + blocks});
  expect_throw<ShapeError>([&] { all_gather(ones({2}), 1, world); }, {"all_gather"});
  expect_throw<ShapeError>([&] { reduce_scatter(ones({P}), -2, world); }, {"reduce_scatter"});
  if (P > 1) {
    expect_throw<ShapeError>(
        [&] { reduce_scatter(ones({2 * P + 1}), 0, world); },
        {str("a multiple of the group's ", P, " ranks along dimension 0"), to_string({2 * P + 1})});
  }
  expect_throw<ArgumentError>([&] { world.all_reduce(Tensor()); }, {});
  expect_throw<ArgumentError>([&] { world.set_timeout(std::chrono::milliseconds(0)); },
                              {"'timeout': expected more than 0 ms, got 0"});
  std::uint64_t sent = 0;
  for (int c = 0; c < kCollectives; ++c) {
    sent += world.stats()[static_cast<Collective>(c)].sent_bytes;
  }
  EXPECT(sent == 0);
  expect_usable(world);
}

void sequences_that_do_not_divide_are_errors(const ProcessGroup& world) {
  const int P = world.size();
  expect_throw<ShapeError>(
      [&] {
        seq_to_channel(ones({2, P}), world);
      },
      {"seq_to_channel: 'x': expected [B, C, L/P], got ", to_string({2, P})});
  expect_throw<ShapeError>(
      [&] {
        channel_to_seq(ones({2, 1, P, 1}), world);
      },
      {"channel_to_seq: 'x': expected [B, C/P, L], got "});
  expect_throw<ShapeError>([&] { shard_sequence(ones({2}), 3, world); }, {"shard_sequence"});
  if (P == 1) return;  // one rank takes any size
  expect_throw<ShapeError>(
      [&] {
        seq_to_channel(ones({2, P + 1, 4}), world);
      },
      {str("with C a multiple of the group's ", P, " ranks")});
  expect_throw<ShapeError>(
      [&] {
        seq_to_channel(ones({2, P, 3}), world, Sharding::zigzag);
      },
      {str("a multiple of ", 2 * P, " chunks"), str("got ", 3 * P, " in ")});
  expect_throw<ShapeError>(
      [&] {
        channel_to_seq(ones({2, 1, P + 1}), world);
      },
      {str("a multiple of ", P, " chunks"), str("got ", P + 1, " in ")});
  expect_throw<ShapeError>(
      [&] {
        shard_sequence(ones({P + 1, 2}), 0, world);
      },
      {"shard_sequence: 'x'", str("got ", P + 1)});
  expect_throw<ShapeError>(
      [&] {
        unshard(ones({2, 3}), 1, world, Sharding::zigzag);
      },
      {"unshard: 'x'"});
  expect_usable(world);
}

void a_destroyed_group_is_an_error(const ProcessGroup& world) {
  const ProcessGroup group = world.split(0, world.rank());
  const ProcessGroup copy = group;
  group.destroy();
  const std::vector<std::string> texts = {"process group: used after destroy()"};
  expect_throw<CommError>([&] { group.barrier(); }, texts);
  expect_throw<CommError>([&] { copy.all_reduce(ones({2})); }, texts);
  expect_throw<CommError>([&] { static_cast<void>(copy.size()); }, texts);
  expect_throw<CommError>([&] { copy.split(0, 0); }, texts);
  expect_throw<CommError>([&] { copy.stats(); }, texts);
  expect_throw<CommError>([&] { group.destroy(); }, texts);
  expect_throw<CommError>([&] { all_reduce_sum(ones({2}), group); }, texts);
  expect_throw<CommError>([&] { seq_to_channel(ones({1, 1, 1}), group); }, texts);
  expect_usable(world);
}

void a_moved_from_group_is_still_a_group(const ProcessGroup& world) {
  ProcessGroup group = world;
  const ProcessGroup other = std::move(group);
  EXPECT(group.size() == world.size());  // NOLINT: that is the point
  EXPECT(other.rank() == world.rank());
}

// All ranks but the last call `usual`, the last one `odd`. Every rank gets the same error, which
// names rank 0 and the last, and what each called.
struct Mismatch {
  std::function<void(const ProcessGroup&)> usual, odd;
  std::string usual_text, odd_text;
};

std::vector<Mismatch> mismatches(int P) {
  const auto f32 = [](Shape shape) { return zeros(std::move(shape)); };
  const auto of = [](DType dtype) { return zeros({4}, {.dtype = dtype}); };
  const auto with_gradient = [](Shape shape) {
    const Tensor x = zeros(std::move(shape));
    x.set_requires_grad();
    return x;
  };
  const std::string blocks = to_string({P, 2});
  using Group = const ProcessGroup&;
  std::vector<Mismatch> all = {
      {[=](Group g) { g.all_reduce(f32({2})); }, [=](Group g) { g.all_gather(f32({2})); },
       "all_reduce(sum) #", "all_gather #"},
      {[=](Group g) { g.barrier(); }, [=](Group g) { g.broadcast(f32({2}), 0); }, "barrier #",
       "broadcast #"},
      {[=](Group g) {
         g.all_to_all(f32({P, 2}));
       },
       [=](Group g) {
         g.reduce_scatter(f32({P, 2}));
       },
       "all_to_all #", "reduce_scatter(sum) #"},
      {[=](Group g) { g.barrier(); }, [=](Group g) { g.split(0, 0); }, "barrier #", "split #"},
      {[=](Group g) { g.all_reduce(f32({4}), ReduceOp::sum); },
       [=](Group g) { g.all_reduce(f32({4}), ReduceOp::max); }, "all_reduce(sum) #",
       "all_reduce(max) #"},
      {[=](Group g) {
         g.reduce_scatter(f32({P, 2}), ReduceOp::max);
       },
       [=](Group g) {
         g.reduce_scatter(f32({P, 2}), ReduceOp::sum);
       },
       "reduce_scatter(max) #", "reduce_scatter(sum) #"},
      {[=](Group g) { g.all_reduce(of(DType::float32)); },
       [=](Group g) { g.all_reduce(of(DType::float64)); }, "of float32 [4]", "of float64 [4]"},
      {[=](Group g) { g.all_gather(of(DType::bfloat16)); },
       [=](Group g) { g.all_gather(of(DType::float16)); }, "of bfloat16 [4]", "of float16 [4]"},
      {[=](Group g) { g.all_reduce(of(DType::int32)); },
       [=](Group g) { g.all_reduce(of(DType::float32)); }, "of int32 [4]", "of float32 [4]"},
      {[=](Group g) { g.all_reduce(f32({6})); }, [=](Group g) { g.all_reduce(f32({7})); },
       "of float32 [6]", "of float32 [7]"},
      {[=](Group g) {
         g.all_reduce(f32({2, 3}));
       },
       [=](Group g) {
         g.all_reduce(f32({3, 2}));
       },
       "of float32 [2, 3]", "of float32 [3, 2]"},
      {[=](Group g) { g.all_gather(f32({6})); },
       [=](Group g) {
         g.all_gather(f32({6, 1}));
       },
       "of float32 [6]", "of float32 [6, 1]"},
      {[=](Group g) {
         g.all_to_all(f32({P, 2}));
       },
       [=](Group g) {
         g.all_to_all(f32({P, 0}));
       },
       "of float32 " + blocks, "of float32 " + to_string({P, 0})},
      {[=](Group g) { g.broadcast(f32({2}), 0); }, [=](Group g) { g.broadcast(f32({2}), 1); },
       "from rank 0", "from rank 1"},
      {[=](Group g) {
         seq_to_channel(f32({1, P, 2}), g);
       },
       [=](Group g) {
         channel_to_seq(f32({1, 3, 2 * P}), g);
       },
       to_string({P, 1, 1, 2}), to_string({P, 1, 3, 2})},
  };
  // Every collective that records a gradient: ranks of which some do not are found out before the
  // others wait for them in the backward pass.
  using Differentiable = std::function<void(const Tensor&, Group)>;
  const auto some_record = [&](const char* call, const Shape& shape, const Differentiable& run) {
    all.push_back({[=](Group g) { run(with_gradient(shape), g); },
                   [=](Group g) { run(f32(shape), g); }, " with gradient, got", str("got ", call)});
  };
  some_record("all_reduce", {2}, [](const Tensor& x, Group g) { all_reduce_sum(x, g); });
  some_record("all_gather", {2}, [](const Tensor& x, Group g) { all_gather(x, 0, g); });
  some_record("reduce_scatter", {P}, [](const Tensor& x, Group g) { reduce_scatter(x, 0, g); });
  some_record("broadcast", {2}, [](const Tensor& x, Group g) { broadcast(x, 0, g); });
  some_record("all_to_all", {P, 2}, [](const Tensor& x, Group g) { all_to_all(x, g); });
  some_record("all_to_all", {1, P, 2}, [](const Tensor& x, Group g) { seq_to_channel(x, g); });
  some_record("all_to_all", {1, 1, P}, [](const Tensor& x, Group g) { channel_to_seq(x, g); });
  some_record("all_gather", {1, 1, 2}, [](const Tensor& x, Group g) { unshard(x, 2, g); });
  return all;
}

void mismatched_collectives_are_errors_that_name_both_ranks(const ProcessGroup& world) {
  const int P = world.size();
  if (P == 1) return;  // nobody to disagree with
  const bool odd = world.rank() == P - 1;
  world.set_check_collectives(true);
  for (const Mismatch& mismatch : mismatches(P)) {
    expect_throw<CommError>([&] { (odd ? mismatch.odd : mismatch.usual)(world); },
                            {str("'rank ", P - 1, "': expected the call of rank 0, "),
                             mismatch.usual_text, mismatch.odd_text});
    expect_usable(world);
  }
}

void mismatches_in_a_part_of_the_world_name_ranks_of_the_world(const ProcessGroup& world) {
  const int P = world.size();
  if (P < 3) return;
  const ProcessGroup tail = world.split(world.rank() == 0 ? -1 : 0, world.rank());
  if (world.rank() == 0) return;
  tail.set_check_collectives(true);
  expect_throw<CommError>(
      [&] {
        if (world.rank() == P - 1) {
          tail.all_reduce(zeros({2}));
        } else {
          tail.all_reduce(zeros({3}));
        }
      },
      {str("'rank ", P - 2, " (", P - 1, " of the world)'"), "rank 0 (1 of the world)"});
}

}  // namespace

std::vector<ConformanceCase> error_cases() {
  return {
      {"bad arguments are errors before anything is sent",
       bad_arguments_are_errors_before_anything_is_sent},
      {"sequences that do not divide are errors", sequences_that_do_not_divide_are_errors},
      {"a destroyed group is an error", a_destroyed_group_is_an_error},
      {"a moved-from group is still a group", a_moved_from_group_is_still_a_group},
      {"mismatched collectives are errors that name both ranks",
       mismatched_collectives_are_errors_that_name_both_ranks},
      {"mismatches in a part of the world name ranks of the world",
       mismatches_in_a_part_of_the_world_name_ranks_of_the_world},
  };
}

}  // namespace crocuta::test
