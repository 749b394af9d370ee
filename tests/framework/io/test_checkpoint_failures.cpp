// Whatever interrupts a save, a good checkpoint loads afterwards and the next save works.
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <functional>

#include "framework/base/error.h"
#include "framework/io/checkpoint.h"
#include "tests/support/catch.h"
#include "tests/support/checkpoints.h"
#include "tests/support/losing_disk.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

// The saves during which something goes wrong: a new step that makes an old one be removed, and a
// step that is there already, as the newest of two or alone.
struct Scene {
  const char* what;
  std::vector<int> before;
  int saved;
};
const std::vector<Scene> kScenes = {
    {"a new step", {1, 2}, 3}, {"the same step again", {1, 2}, 2}, {"the only step again", {2}, 2}};

// After the trouble a good checkpoint is found, no older than the newest there was.
void check_loads(const std::string& root, const Scene& scene, int n) {
  INFO(scene.what << ", call " << n);
  const auto latest = load_latest(root);
  REQUIRE(latest);
  REQUIRE((latest->step == scene.before.back() || latest->step == scene.saved));
  REQUIRE(is_whole(*latest));
}

// And the next save works and leaves nothing over.
void check_saves(const CheckpointStore& store, const Scene& scene, int n) {
  INFO(scene.what << ", call " << n);
  Warnings warnings;
  store.save(contents(9));
  REQUIRE(load_latest(store.root())->step == 9);
  const std::vector<std::string> names = list_directory(store.root());
  REQUIRE(names.size() <= 3);
  for (const std::string& name : names) {
    REQUIRE((name == "lock" || name.starts_with("step-")));
  }
  REQUIRE(warnings.lines.empty());
}

// Saves with a disk on which the calls numbered by `fails` fail; returns the number of calls.
int save_with_failures(const CheckpointStore& store, int step,
                       const std::function<bool(int)>& fails) {
  Warnings ignored;  // of old checkpoints that stay
  int seen = 0;
  const Hook hook([&](const char*, const std::string&) {
    if (!fails(++seen)) return 0;
    return seen % 2 ? EIO : ENOSPC;
  });
  try {
    store.save(contents(step));
  } catch (const IoError&) {
  }
  return seen;
}

}  // namespace

TEST_CASE("an error at any system call of a save leaves a good checkpoint") {
  // The disk recovers at once, or stays broken to the end of the save; the run goes on with the
  // store it has, or another run opens the directory.
  for (const Scene& scene : kScenes) {
    for (const bool stays_broken : {false, true}) {
      for (const bool goes_on : {false, true}) {
        int calls = 0;
        for (int n = 1; n <= calls + 1; ++n) {  // the last one meets no failure
          const TemporaryDirectory directory(fast_parent());
          {
            const CheckpointStore store(directory.path(), 2);
            for (const int step : scene.before) store.save(contents(step));
            calls = save_with_failures(
                store, scene.saved, [&](int call) { return stays_broken ? call >= n : call == n; });
            check_loads(directory.path(), scene, n);
            if (goes_on) check_saves(store, scene, n);
          }
          if (!goes_on) check_saves(CheckpointStore(directory.path(), 2), scene, n);
        }
        CHECK(calls > 20);
      }
    }
  }
}

TEST_CASE("kill -9 at any system call of a save leaves a good checkpoint") {
  set_default_device(Device::cpu());  // a forked process cannot use a GPU that its parent has used
  for (const Scene& scene : kScenes) {
    for (int n = 1;; ++n) {
      const TemporaryDirectory directory(fast_parent());
      {
        const CheckpointStore store(directory.path(), 2);
        for (const int step : scene.before) store.save(contents(step));
      }
      const pid_t child = ::fork();
      REQUIRE(child >= 0);
      if (child == 0) {
        const CheckpointStore store(directory.path(), 2);
        int seen = 0;
        set_file_hook([&](const char*, const std::string&) {
          if (++seen == n) ::raise(SIGKILL);
          return 0;
        });
        store.save(contents(scene.saved));
        ::_exit(0);
      }
      int status = 0;
      REQUIRE(::waitpid(child, &status, 0) == child);
      check_loads(directory.path(), scene, n);
      check_saves(CheckpointStore(directory.path(), 2), scene, n);
      const bool finished = WIFEXITED(status) && WEXITSTATUS(status) == 0;
      REQUIRE((finished || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)));
      if (finished) {
        CHECK(n > 20);
        break;
      }
    }
  }
}

TEST_CASE("a power cut at any system call of a save leaves a good checkpoint") {
  for (const Scene& scene : kScenes) {
    const TemporaryDirectory directory(fast_parent());
    const CheckpointStore store(directory.path(), 2);
    for (const int step : scene.before) store.save(contents(step));
    LosingDisk disk(directory.path());
    // The newest checkpoint that is found after a power cut now.
    const auto newest = [&](std::uint64_t end, int call) {
      INFO(scene.what << ", call " << call << ", end " << end);
      Warnings ignored;  // of an old checkpoint that is half removed
      const TemporaryDirectory left(fast_parent());
      disk.after_power_cut(left.path(), end);
      const auto latest = load_latest(left.path());
      REQUIRE(latest);
      REQUIRE(is_whole(*latest));
      const std::int64_t step = latest->step;
      CheckpointStore(left.path(), 2).save(contents(9));
      REQUIRE(load_latest(left.path())->step == 9);
      return step;
    };
    int calls = 0;
    std::uint64_t most = 0;
    bool looking = false;
    {
      const Hook hook([&](const char* call, const std::string& path) {
        if (looking) return 0;
        looking = true;
        const std::uint64_t ends = disk.ends();
        for (std::uint64_t end = 0; end < ends; ++end) {
          const std::int64_t step = newest(end, calls);
          REQUIRE((step == scene.before.back() || step == scene.saved));
        }
        most = std::max(most, ends);
        disk.before(call, path);
        ++calls;
        looking = false;
        return 0;
      });
      store.save(contents(scene.saved));
    }
    CHECK(calls > 20);
    CHECK(most >= 16);
    // What save() has returned from is there to stay.
    const std::uint64_t ends = disk.ends();
    for (std::uint64_t end = 0; end < ends; ++end) CHECK(newest(end, calls) == scene.saved);
  }
}
