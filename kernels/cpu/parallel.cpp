// A pool of threads that behaves beside other programs. Two rules make it so:
//
// - Nobody waits for a thread that has not begun. A loop is cut into ranges; a thread begins with its
//   own share, so that the same elements stay in the same core's cache from loop to loop, and then
//   takes from the shares of others whatever these have not begun. If the system runs no other thread,
//   the caller does all the work; it waits only for ranges that somebody is at.
// - Threads that wait spin for some microseconds, which bridges the gap to the next loop, and then
//   sleep in the kernel: sooner where one was taken off its core while it spun, since then somebody
//   else can use it.
#include "kernels/cpu/parallel.h"

#include <pthread.h>
#include <signal.h>

#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace crocuta::kernels {
namespace {

using std::int64_t;
using Clock = std::chrono::steady_clock;

constexpr int kRangesPerShare = 4;  // at most: what others may take of a share
constexpr auto kSpin = std::chrono::microseconds(200);
constexpr auto kShortSpin = std::chrono::microseconds(20);  // beside other programs
constexpr auto kOffCore = std::chrono::microseconds(500);  // so long between two looks at the clock
constexpr auto kRemembered = std::chrono::seconds(1);      // that there are other programs

// ---- waiting ----

// Sleeps until `word` is woken, unless it is no longer `value`. (std::atomic::wait yields before it
// sleeps, which costs a thread its turn where cores are busy.)
void sleep_while(const std::atomic<std::uint32_t>& word, std::uint32_t value) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, value, nullptr, nullptr, 0);
#else
  word.wait(value);
#endif
}

void wake(std::atomic<std::uint32_t>& word) {
#if defined(__linux__)
  syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
#else
  word.notify_one();
#endif
}

void pause_briefly() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// When a thread that spun was last found to have been off its core.
std::atomic<Clock::rep> disturbed{std::numeric_limits<Clock::rep>::min() / 2};

// True as soon as done(), false if that takes longer than it is worth spinning.
template <class Done>
bool spin_until(Done&& done) {
  const Clock::time_point start = Clock::now();
  const Clock::rep since =
      start.time_since_epoch().count() - disturbed.load(std::memory_order_relaxed);
  const Clock::duration limit =
      Clock::duration(since) < kRemembered ? Clock::duration(kShortSpin) : Clock::duration(kSpin);
  for (Clock::time_point before = start; before - start < limit;) {
    for (int i = 0; i < 32; ++i) {
      if (done()) return true;
      pause_briefly();
    }
    const Clock::time_point now = Clock::now();
    if (now - before > kOffCore) {
      disturbed.store(now.time_since_epoch().count(), std::memory_order_relaxed);
    }
    before = now;
  }
  return done();
}

// ---- a loop and its ranges ----

thread_local bool in_loop = false;

struct Loop {
  struct alignas(64) Share {
    std::atomic<int> begun{0};  // of its ranges
  };

  int64_t n = 0;
  int threads = 0;  // = shares
  int ranges_per_share = 0;
  LoopBody body = nullptr;
  void* f = nullptr;
  std::vector<Share> shares;  // of the largest loop so far

  void begin(int64_t size, int64_t most, int shares_of_it, LoopBody loop_body, void* of) {
    n = size;
    threads = shares_of_it;
    ranges_per_share = static_cast<int>(std::clamp<int64_t>(most / threads, 1, kRangesPerShare));
    body = loop_body;
    f = of;
    if (shares.size() < static_cast<std::size_t>(threads)) {
      shares = std::vector<Share>(static_cast<std::size_t>(threads));
    }
    for (int i = 0; i < threads; ++i) {
      shares[static_cast<std::size_t>(i)].begun.store(0, std::memory_order_relaxed);
    }
  }

  // Where a range begins, and the one before it ends.
  int64_t cut(int64_t range) const {
    const int64_t ranges = static_cast<int64_t>(threads) * ranges_per_share;
    return n / ranges * range + std::min(range, n % ranges);
  }

  // Runs what nobody has begun, one's own share first.
  void work(int slot) {
    in_loop = true;
    for (int i = 0; i < threads; ++i) {
      const int owner = slot + i < threads ? slot + i : slot + i - threads;
      std::atomic<int>& begun = shares[static_cast<std::size_t>(owner)].begun;
      while (begun.load(std::memory_order_relaxed) < ranges_per_share) {
        const int range = begun.fetch_add(1, std::memory_order_relaxed);
        if (range >= ranges_per_share) break;
        const int64_t index = static_cast<int64_t>(owner) * ranges_per_share + range;
        body(f, slot, cut(index), cut(index + 1));
      }
    }
    in_loop = false;
  }
};

// ---- the pool ----

// One thread of the pool. `state_` holds a phase and the number of the hiring, so that whoever
// waits for the end of one loop does not take the next one for it.
class Worker {
 public:
  // Hands the worker its part of a loop, unless it has another. Returns the hiring's number, or 0.
  std::uint32_t hire(Loop& loop, int slot) {
    std::uint32_t state = state_.load(std::memory_order_relaxed);
    const Phase phase = phase_of(state);
    if (phase > kAsleep) return 0;
    const std::uint32_t hiring = state - phase;
    if (!state_.compare_exchange_strong(state, hiring + kReserved, std::memory_order_acquire)) {
      return 0;
    }
    loop_ = &loop;
    slot_ = slot;
    state_.store(hiring + kHired, std::memory_order_release);
    if (phase == kAsleep) wake(state_);
    return hiring;
  }

  // Returns at once if the worker has not begun what it was hired for, and else when it is done.
  void dismiss(std::uint32_t hiring) {
    std::uint32_t state = hiring + kHired;
    if (state_.compare_exchange_strong(state, hiring + kNext, std::memory_order_acquire)) return;
    const auto done = [&] {
      state = state_.load(std::memory_order_acquire);
      return state - phase_of(state) != hiring;
    };
    if (spin_until(done)) return;
    state_.compare_exchange_strong(state, hiring + kAwaited, std::memory_order_acquire);
    while (!done()) sleep_while(state_, hiring + kAwaited);
  }

  [[noreturn]] void serve() {
    for (;;) {
      std::uint32_t state = await_hiring();
      const std::uint32_t hiring = state - phase_of(state);
      if (!state_.compare_exchange_strong(state, hiring + kRunning, std::memory_order_acquire)) {
        continue;  // dismissed
      }
      loop_->work(slot_);
      state = state_.exchange(hiring + kNext, std::memory_order_acq_rel);
      if (phase_of(state) == kAwaited) wake(state_);
    }
  }

 private:
  enum Phase : std::uint32_t { kIdle, kAsleep, kReserved, kHired, kRunning, kAwaited, kNext = 8 };
  static Phase phase_of(std::uint32_t state) { return static_cast<Phase>(state % kNext); }

  // The state in which the worker is hired.
  std::uint32_t await_hiring() {
    std::uint32_t state = 0;
    const auto hired = [&] {
      state = state_.load(std::memory_order_relaxed);
      return phase_of(state) == kHired;
    };
    while (!spin_until(hired)) {
      if (phase_of(state) != kIdle) continue;  // being hired this moment
      const std::uint32_t asleep = state + kAsleep;
      if (!state_.compare_exchange_strong(state, asleep, std::memory_order_relaxed)) continue;
      while (state_.load(std::memory_order_relaxed) == asleep) sleep_while(state_, asleep);
    }
    return state;
  }

  alignas(64) std::atomic<std::uint32_t> state_{kNext};
  Loop* loop_ = nullptr;  // these two belong to who has reserved the worker, then to the worker
  int slot_ = 0;
};

// Signals are for the program's own threads. Those that an instruction causes must reach handlers.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    sigfillset(&all);
    for (const int caused : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGPROF}) {
      sigdelset(&all, caused);
    }
    pthread_sigmask(SIG_BLOCK, &all, &before_);
  }
  ~BlockedSignals() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t before_;
};

// All threads of the program share one pool, which grows to what has been asked for. It is never
// destroyed: threads that sleep need not be woken when the program ends. In a forked child it has
// no threads, and nobody misses them.
class Pool {
 public:
  // Hires up to `wanted` workers for slots 1, 2, ... of a loop and calls hired(worker, hiring).
  template <class F>
  void hire(Loop& loop, int wanted, F&& hired) {
    if (size_.load(std::memory_order_acquire) < wanted) grow(wanted);
    const int size = size_.load(std::memory_order_acquire);
    for (int i = 0, slot = 1; i < size && slot <= wanted; ++i) {
      Worker& worker = *workers_[static_cast<std::size_t>(i)];
      if (const std::uint32_t hiring = worker.hire(loop, slot)) {
        hired(worker, hiring);
        ++slot;
      }
    }
  }

 private:
  void grow(int wanted) {
    const std::lock_guard lock(mutex_);
    const BlockedSignals blocked;
    for (int size = size_.load(std::memory_order_relaxed); size < wanted && !exhausted_;) {
      auto worker = std::make_unique<Worker>();
      try {
        std::thread(&Worker::serve, worker.get()).detach();
      } catch (
          const std::system_error&) {  // the system gives no more threads: work goes on without
        exhausted_ = true;
        return;
      }
      workers_[static_cast<std::size_t>(size)] = worker.release();
      size_.store(++size, std::memory_order_release);
    }
  }

  std::mutex mutex_;
  bool exhausted_ = false;
  std::atomic<int> size_{0};
  std::array<Worker*, kMaxThreads - 1> workers_{};
};

Pool& pool() {
  static Pool& instance = *new Pool;
  return instance;
}

// ---- how many threads ----

int allowed_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return static_cast<int>(std::thread::hardware_concurrency());
}

// The variable's number, 0 without one.
int number_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return 0;
  int number = 0;
  // OMP_NUM_THREADS may be a list with a number for each level of nesting.
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc{} && number > 0 && (stop == end || *stop == ',') ? number : 0;
}

int asked_for() {
  const int ours = number_in("CROCUTA_NUM_THREADS");
  return ours > 0 ? ours : number_in("OMP_NUM_THREADS");
}

thread_local int chosen = 0;  // by set_thread_count()

}  // namespace

int default_thread_count() {
  static const int count =
      std::clamp(asked_for() > 0 ? asked_for() : allowed_cores(), 1, kMaxThreads);
  return count;
}

bool thread_count_was_asked_for() {
  return asked_for() > 0;
}

int thread_count() {
  if (in_loop) return 1;
  return chosen > 0 ? chosen : default_thread_count();
}

void set_thread_count(int threads) {
  chosen = std::clamp(threads, 1, kMaxThreads);
}

void run_loop(int64_t n, int64_t most, int threads, LoopBody body, void* f) {
  thread_local Loop loop;
  loop.begin(n, most, threads, body, f);
  thread_local std::vector<std::pair<Worker*, std::uint32_t>> hired;
  hired.clear();
  pool().hire(loop, threads - 1,
              [](Worker& worker, std::uint32_t hiring) { hired.emplace_back(&worker, hiring); });
  loop.work(0);
  for (const auto& [worker, hiring] : hired) worker->dismiss(hiring);
}

}  // namespace crocuta::kernels
