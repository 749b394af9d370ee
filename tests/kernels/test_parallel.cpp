// The pool of threads behind the CPU kernels' loops.
#include "kernels/cpu/parallel.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "framework/base/error.h"
#include "framework/device/threads.h"
#include "tests/support/catch.h"

using namespace crocuta;
using kernels::parallel_for;
using kernels::parallel_for_slots;

namespace {

// How often a loop over n elements visits each, when it may use `threads` threads.
std::vector<int> visits(std::int64_t n, std::int64_t grain, int threads) {
  const NumThreads restored(threads);
  std::vector<int> count(static_cast<std::size_t>(n), 0);
  parallel_for(n, grain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) ++count[static_cast<std::size_t>(i)];
  });
  return count;
}

// The exit status of a forked child that runs `body`, which returns it.
template <class F>
int status_of_child(F&& body) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) _exit(body());
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("a loop visits every element once, however it is cut") {
  for (const int threads : {1, 2, 3, 8, 33}) {
    for (const std::int64_t n : {0, 1, 2, 3, 7, 31, 32, 33, 100, 1000, 4099}) {
      for (const std::int64_t grain : {0, 1, 2, 5, 64, 5000}) {
        CAPTURE(threads, n, grain);
        CHECK(visits(n, grain, threads) == std::vector<int>(static_cast<std::size_t>(n), 1));
      }
    }
  }
}

TEST_CASE("a loop is cut into no more ranges than are worth a thread") {
  const NumThreads restored(4);
  for (const std::int64_t n : {1, 10, 11, 20, 39, 40, 1000}) {
    std::atomic<std::int64_t> ranges = 0;
    parallel_for(n, 10, [&](std::int64_t, std::int64_t) { ++ranges; });
    CAPTURE(n);
    CHECK(ranges <= (n + 9) / 10);
  }
}

TEST_CASE("a slot belongs to one thread at a time, and there are no more than threads") {
  const NumThreads restored(5);
  std::array<std::atomic<int>, 5> inside{};
  std::atomic<int> wrong = 0;
  for (int repeat = 0; repeat < 200; ++repeat) {
    parallel_for_slots(40, 1, [&](int slot, std::int64_t, std::int64_t) {
      if (slot < 0 || slot >= 5 || inside.at(static_cast<std::size_t>(slot)).fetch_add(1) != 0) {
        ++wrong;
      }
      std::this_thread::yield();
      --inside.at(static_cast<std::size_t>(slot));
    });
  }
  CHECK(wrong == 0);
}

// Hangs, until the test's time limit, where no second thread takes part.
TEST_CASE(
    "the threads of a loop run at the same time, awake or asleep before, and all end with it") {
  const NumThreads restored(2);
  const std::thread::id caller = std::this_thread::get_id();
  for (const auto pause : {std::chrono::milliseconds(0), std::chrono::milliseconds(20)}) {
    for (int repeat = 0; repeat < 5; ++repeat) {
      std::this_thread::sleep_for(pause);
      std::atomic<bool> joined = false;
      std::atomic<int> begun = 0, ended = 0;
      parallel_for(8, 1, [&](std::int64_t, std::int64_t) {
        ++begun;
        if (std::this_thread::get_id() == caller) {
          while (!joined) std::this_thread::yield();
        } else {
          joined = true;
          std::this_thread::sleep_for(std::chrono::milliseconds(2));  // the caller has nothing left
        }
        ++ended;
      });
      CHECK(begun == 8);
      CHECK(ended == 8);
    }
  }
}

TEST_CASE("a loop inside a loop runs on the thread that meets it") {
  const NumThreads restored(3);
  std::vector<std::vector<int>> rows(20, std::vector<int>(50, 0));
  std::atomic<int> foreign = 0;
  parallel_for(20, 1, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t row = begin; row < end; ++row) {
      if (kernels::thread_count() != 1) ++foreign;
      const std::thread::id here = std::this_thread::get_id();
      parallel_for(50, 1, [&](std::int64_t first, std::int64_t last) {
        if (std::this_thread::get_id() != here) ++foreign;
        for (std::int64_t i = first; i < last; ++i) {
          ++rows[static_cast<std::size_t>(row)][static_cast<std::size_t>(i)];
        }
      });
    }
  });
  CHECK(foreign == 0);
  CHECK(rows == std::vector<std::vector<int>>(20, std::vector<int>(50, 1)));
  CHECK(kernels::thread_count() == 3);
}

TEST_CASE("several threads of the program may run loops at once") {
  std::atomic<int> wrong = 0;
  std::vector<std::thread> callers;
  for (int caller = 0; caller < 6; ++caller) {
    callers.emplace_back([&, caller] {
      for (int repeat = 0; repeat < 300; ++repeat) {
        const std::vector<int> count = visits(100 + caller, 1, 2 + caller % 3);
        if (count != std::vector<int>(count.size(), 1)) ++wrong;
      }
    });
  }
  for (std::thread& caller : callers) caller.join();
  CHECK(wrong == 0);
}

TEST_CASE("the thread count is the calling thread's own") {
  const NumThreads restored(2);
  int before = 0, after = 0;
  std::thread([&] {
    before = num_threads();
    set_num_threads(7);
    after = num_threads();
  }).join();
  CHECK(before == kernels::default_thread_count());
  CHECK(after == 7);
  CHECK(num_threads() == 2);
  for (const int threads : {0, -1, 1025}) {
    CHECK_THROWS_WITH(
        set_num_threads(threads),
        "set_num_threads: 'threads': expected 1 to 1024, got " + std::to_string(threads));
  }
  CHECK(num_threads() == 2);
}

TEST_CASE("the environment says how many threads there are to begin with") {
  CHECK(kernels::default_thread_count() == 3);  // CROCUTA_NUM_THREADS of this test
  CHECK(kernels::thread_count_was_asked_for());
  const std::string ours = std::getenv("CROCUTA_NUM_THREADS");
  unsetenv("CROCUTA_NUM_THREADS");
  for (const auto& [text, asked] : {std::pair<const char*, bool>{"4", true},
                                    {"2,1", true},
                                    {"", false},
                                    {"0", false},
                                    {"-2", false},
                                    {"all", false},
                                    {"4x", false}}) {
    setenv("OMP_NUM_THREADS", text, 1);
    CAPTURE(text);
    CHECK(kernels::thread_count_was_asked_for() == asked);
  }
  unsetenv("OMP_NUM_THREADS");
  CHECK_FALSE(kernels::thread_count_was_asked_for());
  setenv("CROCUTA_NUM_THREADS", ours.c_str(), 1);
}

// The system may run a thread of the pool late or never, which shows itself in a child: after
// fork() it has none of them.
TEST_CASE("a loop ends although no thread of the pool runs") {
  const std::vector<int> once(1000, 1);
  REQUIRE(visits(1000, 1, 4) == once);
  CHECK(status_of_child([&] { return visits(1000, 1, 4) == once ? 0 : 1; }) == 0);
  CHECK(visits(1000, 1, 4) == once);
}

#if !defined(CROCUTA_SANITIZED)  // sanitizers need the address space
TEST_CASE("a loop ends where the system has no more threads to give") {
  CHECK(status_of_child([] {
          std::ifstream statm("/proc/self/statm");
          rlim_t pages = 0;
          statm >> pages;
          // Room for some thread stacks of eight megabytes, not for hundreds.
          const rlim_t room = pages * static_cast<rlim_t>(getpagesize()) + (rlim_t{64} << 20);
          const rlimit limit{room, room};
          if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
          return visits(5000, 1, 500) == std::vector<int>(5000, 1) ? 0 : 1;
        }) == 0);
}
#endif

#if defined(__linux__)
TEST_CASE("signals reach the program's own threads, not the pool's") {
  REQUIRE(visits(1000, 1, 4) == std::vector<int>(1000, 1));
  int threads = 0;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream status(task.path() / "status");
    std::string word;
    while (status >> word && word != "SigBlk:") continue;
    std::uint64_t blocked = 0;
    status >> std::hex >> blocked;
    ++threads;
    const bool is_main = task.path().filename() == std::to_string(getpid());
    for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGALRM}) {
      CHECK((blocked >> (signal - 1) & 1) == (is_main ? 0 : 1));
    }
  }
  CHECK(threads >= 4);
}
#endif
