// What one rank does in the jobs of test_nccl_failures.cpp, on emulated GPUs whose NCCL is made to
// fail.
#include "tests/distributed/nccl_scenarios.h"

#include <atomic>
#include <chrono>
#include <iostream>
#include <optional>
#include <thread>

#include "distributed/collectives.h"
#include "distributed/init.h"
#include "emulation/nccl_faults.h"
#include "emulation/stall.h"
#include "tests/distributed/conformance.h"
#include "tests/distributed/failing.h"

namespace crocuta::test {
namespace {

using namespace std::chrono_literals;
using emulation::NcclFault;

ProcessGroup start() {
  CommOptions options;
  options.check_collectives = false;
  return distributed::init("nccl", options);
}

// One collective, which creates no group, is behind every rank, however far apart they start; from
// then on they wait for each other that long.
ProcessGroup start_and_meet(std::chrono::milliseconds timeout) {
  const ProcessGroup world = start();
  EXPECT(world.all_reduce(ones({2})).to_vector() ==
         std::vector<float>(2, static_cast<float>(world.size())));
  world.set_timeout(timeout);
  return world;
}

// Is to end in an error before it prints anything.
void print_first(const Tensor& x) {
  const float value = x.to_vector()[0];
  std::cout << "the result holds " << value << std::endl;
}

// A rank does not come.
void hang() {
  const ProcessGroup world = start_and_meet(500ms);
  if (world.rank() == 1) sleep_for_ever();
  world.all_reduce(zeros({4, 8}));
}

// A rank does not come, which nobody learns before reading the result.
void hang_unnoticed() {
  const ProcessGroup world = start_and_meet(500ms);
  if (world.rank() == 1) sleep_for_ever();
  emulation::fail_nccl_group(NcclFault::stall, 1);
  const Tensor sum = world.all_reduce(zeros({4, 8}));
  const Tensor more = world.all_reduce(sum);
  print_first(sum);
}

// All are there, but the GPUs do not go on.
void stall() {
  const ProcessGroup world = start_and_meet(500ms);
  emulation::fail_nccl_group(NcclFault::stall, 1);
  const Tensor sum = world.all_reduce(zeros({4, 8}));
  print_first(sum);
}

// The same without reading: found out by the next collective.
void stall_then_collective() {
  const ProcessGroup world = start_and_meet(200ms);
  emulation::fail_nccl_group(NcclFault::stall, 1);
  world.all_to_all(zeros({world.size(), 3}));
  std::this_thread::sleep_for(1s);
  world.all_reduce(zeros({4, 8}));
}

// Aborting does not help either, so that this thread never gets to hear of it.
void endless_stall() {
  const ProcessGroup world = start_and_meet(500ms);
  emulation::fail_nccl_group(NcclFault::endless_stall, 1);
  const Tensor sum = world.all_reduce(zeros({4, 8}));
  print_first(sum);
}

// A kernel that takes a second on the GPU's current stream. Resumed by another thread, since memory
// that is not cached is given back only when the GPU is idle.
class LongWork {
 public:
  LongWork() { emulation::stall(stream_); }
  bool done() const { return done_; }

 private:
  cudaStream_t stream_ = static_cast<cudaStream_t>(current_stream(default_device()));
  std::atomic<bool> done_ = false;
  std::jthread later_{[this] {
    std::this_thread::sleep_for(1s);
    done_ = true;
    emulation::resume(stream_);
  }};
};

// What is on the GPU before a collective may take longer than the ranks wait for each other.
void long_work_before() {
  const ProcessGroup world = start_and_meet(400ms);
  const LongWork work;
  const Tensor sum = world.all_reduce(ones({3}));
  EXPECT(sum.to_vector()[0] == static_cast<float>(world.size()));
  EXPECT(work.done());
  world.barrier();
}

// A group that goes while its collectives are under way is missed by nobody: their results come.
void forget_group() {
  const ProcessGroup world = start_and_meet(10s);
  std::optional<ProcessGroup> part = world.split(0, 0);
  const LongWork work;
  const Tensor sum = part->all_reduce(ones({3}));
  part.reset();
  EXPECT(work.done());
  EXPECT(sum.to_vector()[0] == static_cast<float>(world.size()));
  world.barrier();
}

// It may be gone when somebody wants to read what did not come.
void forget_stalled_group() {
  const ProcessGroup world = start_and_meet(500ms);
  std::optional<ProcessGroup> part = world.split(0, 0);
  emulation::fail_nccl_group(NcclFault::stall, 1);
  const Tensor sum = part->all_reduce(zeros({4, 8}));
  part.reset();
  print_first(sum);
}

void remote_error() {
  const ProcessGroup world = start_and_meet(120s);
  if (world.rank() == 0) emulation::fail_nccl_group(NcclFault::remote_error, 1);
  world.all_gather(zeros({5}));
}

void refusal() {
  const ProcessGroup world = start_and_meet(120s);
  emulation::fail_nccl_group(NcclFault::refusal, 1);
  world.broadcast(zeros({5}), 1);
}

// After a failure every use of the group says so, and nothing hangs.
void use_after_failure() {
  const ProcessGroup world = start_and_meet(300ms);
  const ProcessGroup part = world.split(0, 0);
  emulation::fail_nccl_group(NcclFault::refusal, 1);
  expect_throw<CommError>([&] { world.all_reduce(zeros({5})); }, {"NCCL failed in all_reduce"});
  expect_throw<CommError>([&] { world.all_reduce(zeros({5})); }, {"NCCL failed in all_reduce"});
  expect_throw<CommError>([&] { world.barrier(); }, {"NCCL failed in all_reduce"});
  expect_throw<CommError>([&] { world.split(0, 0); }, {"NCCL failed in all_reduce"});
  expect_throw<CommError>([&] { part.barrier(); }, {"an earlier collective was given up"});
  expect_throw<CommError>([&] { part.all_reduce(zeros({5})); },
                          {"an earlier collective was given up"});
  EXPECT((zeros({2}) + 1.0).to_vector() == std::vector<float>(2, 1));
  std::cout << "the GPU still works" << std::endl;
}

// Without checking, NCCL would wait for ever for what does not fit.
void unchecked_mismatch() {
  const ProcessGroup world = start_and_meet(500ms);
  world.all_gather(zeros({world.rank() == 0 ? 3 : 2}));
}

void mixed_devices() {
  const ProcessGroup world = start_and_meet(10s);
  world.set_check_collectives(true);
  world.all_gather(zeros({3}, {.device = world.rank() == 0 ? Device::cpu() : default_device()}));
}

void throw_alone() {
  const ProcessGroup world = start_and_meet(120s);
  if (world.rank() == 1) throw Error("rank 1 gives up");
  world.all_reduce(zeros({3}));
}

void die() {
  const ProcessGroup world = start_and_meet(120s);
  if (world.rank() == 1) die_now();
  world.all_reduce(zeros({3}));
}

// A rank does not come to make a group.
void hang_in_split() {
  const ProcessGroup world = start_and_meet(500ms);
  if (world.rank() == 1) sleep_for_ever();
  world.split(0, 0);
}

void use_after_shutdown() {
  const ProcessGroup world = start();
  EXPECT(distributed::shutdown(0) == 0);
  expect_throw<CommError>([&] { world.all_reduce(zeros({3})); },
                          {"used after distributed::shutdown()"});
}

// Each rank its GPU, found from the launcher's numbers.
void choose_nccl() {
  const ProcessGroup world = distributed::init();
  EXPECT(default_device() == Device::cuda(world.rank()));
  EXPECT(world.backend()->buffers_for(default_device()) == default_device());
  EXPECT(world.backend()->buffers_for(Device::cpu()) == Device::cpu());
  EXPECT(distributed::on_device(world, default_device()).backend() == world.backend());
  EXPECT(world.all_reduce(ones({3})).to_vector()[2] == static_cast<float>(world.size()));
}

// Fewer GPUs than ranks: by way of the host.
void choose_mpi() {
  const ProcessGroup world = distributed::init();
  EXPECT(default_device() == Device::cuda(0));
  EXPECT(world.backend()->buffers_for(default_device()) == Device::cpu());
  const Tensor sum = world.all_reduce(ones({3}));
  EXPECT(sum.device() == Device::cuda(0));
  EXPECT(sum.to_vector()[2] == static_cast<float>(world.size()));
}

// Asked for by hand: an error if GPUs are shared, on all ranks alike.
void insist_on_nccl() {
  start();
}

// With NCCL the host neither reads nor waits for what is on the GPU.
void nothing_goes_through_the_host() {
  const ProcessGroup world = start_and_meet(120s);
  const Tensor x = ones({world.size(), 1000});
  const ProcessGroup host = distributed::init("mpi");
  host.reset_stats();
  world.all_to_all(x);
  world.all_reduce(x);
  world.all_gather(x);
  world.reduce_scatter(x);
  world.broadcast(x, 1);
  std::uint64_t sent = 0;
  for (int c = 0; c < kCollectives; ++c) {
    sent += host.stats()[static_cast<Collective>(c)].sent_bytes;
  }
  EXPECT(sent == 0);
}

}  // namespace

const std::vector<NcclScenario>& nccl_scenarios() {
  static const std::vector<NcclScenario> scenarios = {
      {"nccl_hang", hang},
      {"nccl_hang_unnoticed", hang_unnoticed},
      {"nccl_stall", stall},
      {"nccl_stall_then_collective", stall_then_collective},
      {"nccl_endless_stall", endless_stall},
      {"nccl_long_work_before", long_work_before},
      {"nccl_forget_group", forget_group},
      {"nccl_forget_stalled_group", forget_stalled_group},
      {"nccl_remote_error", remote_error},
      {"nccl_refusal", refusal},
      {"nccl_use_after_failure", use_after_failure},
      {"nccl_unchecked_mismatch", unchecked_mismatch},
      {"nccl_mixed_devices", mixed_devices},
      {"nccl_throw_alone", throw_alone},
      {"nccl_die", die},
      {"nccl_hang_in_split", hang_in_split},
      {"nccl_use_after_shutdown", use_after_shutdown},
      {"nccl_choose_nccl", choose_nccl},
      {"nccl_choose_mpi", choose_mpi},
      {"nccl_insist_on_nccl", insist_on_nccl},
      {"nccl_nothing_goes_through_the_host", nothing_goes_through_the_host},
  };
  return scenarios;
}

}  // namespace crocuta::test
