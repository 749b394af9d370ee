// The conformance suite on the group of one and on rank threads, and what is special about threads:
// failures, hung ranks, each rank's share of the machine.
#include <pthread.h>

#include <atomic>
#include <chrono>
#include <mutex>
#include <set>
#include <thread>

#include "distributed/backends/threads.h"
#include "distributed/collectives.h"
#include "distributed/context_parallel.h"
#include "framework/tensor/random.h"
#include "kernels/cpu/parallel.h"
#include "tests/distributed/conformance.h"
#include "tests/support/catch.h"

namespace crocuta {
namespace {

using namespace std::chrono_literals;

// The message of the Error that run_ranks throws; "" if it throws none.
template <class E>
std::string failure_of(int ranks, const std::function<void(const ProcessGroup&)>& body,
                       const RankThreadOptions& options = {}) {
  try {
    run_ranks(ranks, body, options);
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

RankThreadOptions patience(std::chrono::milliseconds timeout) {
  RankThreadOptions options;
  options.timeout = timeout;
  return options;
}

TEST_CASE("the group of one conforms") {
  for (const auto& conformance : test::conformance_cases()) {
    INFO(conformance.name);
    CHECK_NOTHROW(conformance.run(ProcessGroup()));
  }
}

TEST_CASE("rank threads conform") {
  for (const int ranks : {1, 2, 3, 4, 8}) {
    for (const auto& conformance : test::conformance_cases()) {
      INFO(conformance.name << ", " << ranks << " ranks");
      CHECK_NOTHROW(run_ranks(ranks, conformance.run));
    }
  }
}

TEST_CASE("chunks lie in the documented order") {
  CHECK(chunk_order(Sharding::contiguous, 3) == std::vector<int>{0, 1, 2});
  CHECK(chunk_order(Sharding::zigzag, 2) == std::vector<int>{0, 3, 1, 2});
  CHECK(chunk_order(Sharding::zigzag, 4) == std::vector<int>{0, 7, 1, 6, 2, 5, 3, 4});
}

TEST_CASE("a rank's exception ends the others' waiting and is rethrown") {
  std::atomic<int> woken = 0;
  const std::string message = failure_of<ShapeError>(4, [&](const ProcessGroup& world) {
    if (world.rank() == 2) throw ShapeError("layer: 'x': expected [2], got [3]");
    try {
      world.barrier();
    } catch (const CommError& error) {
      if (std::string(error.what()).find("rank 2 has failed: layer: 'x'") != std::string::npos) {
        ++woken;
      }
      throw;
    }
  });
  CHECK(message == "layer: 'x': expected [2], got [3]");
  CHECK(woken == 3);
}

TEST_CASE("a failure in the world wakes ranks that wait in another group") {
  const std::string message = failure_of<Error>(4, [&](const ProcessGroup& world) {
    const ProcessGroup pair = world.split(world.rank() / 2, 0);
    if (world.rank() == 0) throw Error("out of coffee");
    if (world.rank() == 1) pair.barrier();                                    // with rank 0
    for (int i = 0; world.rank() > 1; ++i) pair.all_reduce(full({1000}, i));  // until it is noticed
  });
  CHECK(message == "out of coffee");
}

TEST_CASE("exceptions that are not ours are rethrown too") {
  CHECK_THROWS_AS(run_ranks(2,
                            [](const ProcessGroup& world) {
                              if (world.rank() == 0) throw 7;
                              world.barrier();
                            }),
                  int);
}

TEST_CASE("a rank that hangs is named, with what it was waited for in") {
  std::atomic<int> told = 0;
  const std::string message = failure_of<CommError>(
      3,
      [&](const ProcessGroup& world) {
        world.all_gather(ones({2}));
        while (world.rank() == 1 && told < 2) std::this_thread::sleep_for(1ms);
        try {
          world.all_reduce(zeros({4, 8}));
        } catch (const CommError&) {
          ++told;
          throw;
        }
      },
      patience(2s));
  CHECK(message ==
        "all_reduce: rank 0, rank 2 waited 2 s in all_reduce(sum) #2 of float32 [4, 8] for "
        "rank 1 (last seen in all_gather #1 of float32 [2])");
  CHECK(told == 3);
}

TEST_CASE("a rank that waits elsewhere is found there") {
  const std::string message = failure_of<CommError>(
      2,
      [&](const ProcessGroup& world) {
        const ProcessGroup other = world.split(0, 0);
        (world.rank() == 0 ? world : other).barrier();
      },
      patience(1s));
  // Either rank may be the first to lose patience.
  const bool by_0 = message ==
                    "barrier: rank 0 waited 1 s in barrier #2 for rank 1 "
                    "(last seen in barrier #1)";
  const bool by_1 = message ==
                    "barrier: rank 1 waited 1 s in barrier #1 for rank 0 "
                    "(last seen in barrier #2)";
  CHECK((by_0 || by_1));
}

TEST_CASE("a rank that has returned is not waited for") {
  const std::string message = failure_of<CommError>(2, [](const ProcessGroup& world) {
    if (world.rank() == 0) world.all_reduce(ones({3}));
  });
  CHECK(message ==
        "all_reduce: 'rank 1': expected it to join all_reduce(sum) #1 of float32 [3], "
        "got the end of its work instead");
}

TEST_CASE("a group that outlives its ranks is an error, not a hang") {
  ProcessGroup escaped;
  run_ranks(2, [&](const ProcessGroup& world) {
    if (world.rank() == 0) escaped = world;
  });
  CHECK_THROWS_AS(escaped.barrier(), CommError);
}

TEST_CASE("the caller hears of a rank that never returns") {
  RankThreadOptions options = patience(50ms);
  std::atomic<bool> release = false;
  std::string heard;
  options.on_stuck = [&](const std::string& failure) {
    heard = failure;
    release = true;  // a program would end here
  };
  const std::string message = failure_of<CommError>(
      2,
      [&](const ProcessGroup& world) {
        if (world.rank() == 1) {
          while (!release) std::this_thread::sleep_for(1ms);
          return;
        }
        world.barrier();
      },
      options);
  CHECK(heard == "barrier: rank 0 waited 0.05 s in barrier #1 for rank 1 (not seen so far)");
  CHECK(message == heard);
}

TEST_CASE("a mismatch is noticed with checking off, since rank threads always compare") {
  const std::string message = failure_of<CommError>(2, [](const ProcessGroup& world) {
    world.set_check_collectives(false);
    world.all_reduce(zeros({world.rank() + 1}));
  });
  CHECK(message ==
        "all_reduce: 'rank 1': expected the call of rank 0, all_reduce(sum) #1 of "
        "float32 [1], got all_reduce(sum) #1 of float32 [2]");
}

TEST_CASE("rank threads divide the cores and have generators of their own") {
  std::mutex mutex;
  std::set<int> threads;
  std::set<const Generator*> generators;
  const int expected = std::max(1, kernels::thread_count() / 3);
  run_ranks(3, [&](const ProcessGroup& world) {
    world.barrier();
    {
      const std::lock_guard lock(mutex);
      threads.insert(kernels::thread_count());
      generators.insert(&default_generator());
    }
    world.barrier();
  });
  CHECK(threads == std::set<int>{expected});
  CHECK(generators.size() == 3);
}

TEST_CASE("there is no group of no ranks") {
  CHECK(failure_of<ArgumentError>(0, [](const ProcessGroup&) {}) ==
        "run_ranks: 'ranks': expected 1 or more, got 0");
}

TEST_CASE("ranks whose threads cannot be started are an error, not a hang") {
  pthread_attr_t usual, greedy;
  REQUIRE(pthread_getattr_default_np(&usual) == 0);
  REQUIRE(pthread_getattr_default_np(&greedy) == 0);
  REQUIRE(pthread_attr_setstacksize(&greedy, std::size_t{1} << 46) == 0);
  REQUIRE(pthread_setattr_default_np(&greedy) == 0);
  std::string message;
  try {
    run_ranks(2, [](const ProcessGroup& world) { world.barrier(); });
  } catch (const std::exception& error) {
    message = error.what();
  }
  REQUIRE(pthread_setattr_default_np(&usual) == 0);
  CHECK_THAT(message, ContainsSubstring("Resource temporarily unavailable"));
}

TEST_CASE("subgroups keep their parent's options") {
  run_ranks(2, [](const ProcessGroup& world) {
    world.set_timeout(5s);
    world.set_check_collectives(true);
    const ProcessGroup group = world.split(0, 0);
    test::expect(group.options().timeout == 5s, "the timeout", __FILE__, __LINE__);
    test::expect(group.options().check_collectives, "checking", __FILE__, __LINE__);
  });
  SUCCEED();
}

TEST_CASE("many short runs leave nothing behind") {
  for (int i = 0; i < 100; ++i) {
    std::atomic<int> sum = 0;
    run_ranks(4, [&](const ProcessGroup& world) {
      const ProcessGroup pair = world.split(world.rank() % 2, 0);
      sum += static_cast<int>(pair.all_reduce(full({}, world.rank())).item());
    });
    REQUIRE(sum == 2 * (0 + 2) + 2 * (1 + 3));
  }
}

}  // namespace
}  // namespace crocuta
