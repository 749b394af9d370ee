#include "emulation/engine.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <numeric>

constinit thread_local uint3 threadIdx = {};
constinit thread_local uint3 blockIdx = {};
constinit thread_local dim3 blockDim;
constinit thread_local dim3 gridDim;

namespace crocuta::emulation {
namespace {

constinit thread_local Engine* running_engine = nullptr;

std::atomic<std::uint64_t>& seed() {
  static std::atomic<std::uint64_t> seed = [] {
    const char* text = std::getenv("CROCUTA_EMULATION_SEED");
    return text ? std::strtoull(text, nullptr, 10) : 0;
  }();
  return seed;
}

}  // namespace

void set_seed(std::uint64_t value) {
  seed() = value;
}

Engine::Engine() = default;

Engine::~Engine() {
  // Every fiber leaves by itself, so that AddressSanitizer forgets its stack.
  quit_ = true;
  running_engine = this;
  for (Worker* worker : idle_) switch_to(worker);
}

Engine& Engine::of_this_thread() {
  thread_local Engine engine;
  return engine;
}
Engine& Engine::running() {
  if (running_engine == nullptr) {
    std::fputs("emulation: a barrier, shuffle or shared array outside a kernel\n", stderr);
    std::terminate();
  }
  return *running_engine;
}

Engine::Failure Engine::run(const Launch& launch, std::size_t shared_limit) {
  launch_ = &launch;
  shared_limit_ = shared_limit;
  blockDim = launch.block;
  gridDim = launch.grid;
  threads_ = static_cast<int>(launch.block.x * launch.block.y * launch.block.z);
  order_.resize(static_cast<std::size_t>(threads_));
  std::iota(order_.begin(), order_.end(), std::uint16_t{0});
  lanes_.resize(order_.size());
  suspended_.assign(order_.size(), nullptr);
  random_.seed(seed() * 0x10001 + launches_++);
  blocks_.start(std::uint64_t{launch.grid.x} * launch.grid.y * launch.grid.z, random_);
  shared_.start_launch(launch.shared_bytes);
  failed_ = done_ = false;
  failure_ = {};
  running_engine = this;
  done_ = !next_block();
  work();
  running_engine = nullptr;
  return failure_;
}

// What every fiber does: run threads that have not started, hand over to those that can go on.
void Engine::work() {
  for (;;) {
    Worker* next = &main_;
    if (quit_) {
      Worker* self = std::exchange(current_, next);
      leave_fiber(&self->fiber, &next->fiber);
    } else if (done_) {
      if (current_ == &main_) return;
    } else if (failed_) {
      next = any_suspended();  // to be unwound
      if (next == nullptr) done_ = true;
    } else if (unstarted_first()) {
      start_one_ = false;
      run_thread(order_[static_cast<std::size_t>(started_++)]);
      continue;
    } else if (!ready_.empty()) {
      next = ready_.pop();
    } else if (exited_ < threads_) {
      fail_deadlock();
      continue;
    } else {
      if (const std::string damage = shared_.damage(); !damage.empty()) {
        fail(-1, damage);
      } else {
        done_ = !next_block();
      }
      continue;
    }
    if (next == nullptr || next == current_) continue;
    if (current_ != &main_) idle_.push_back(current_);
    switch_to(next);
  }
}

bool Engine::next_block() {
  std::uint64_t block = 0;
  if (!blocks_.next(&block)) return false;
  const std::uint64_t row = block / gridDim.x;
  blockIdx.x = static_cast<unsigned>(block % gridDim.x);
  blockIdx.y = static_cast<unsigned>(row % gridDim.y);
  blockIdx.z = static_cast<unsigned>(row / gridDim.y);
  draw_order();
  started_ = exited_ = at_barrier_ = 0;
  for (int w = 0; w * kWarp < threads_; ++w) {
    const int lanes = std::min(kWarp, threads_ - w * kWarp);
    warps_[static_cast<std::size_t>(w)] = {lanes == kWarp ? ~0u : (1u << lanes) - 1, 0, 0};
  }
  ready_.clear();
  shared_.start_block();
  return true;
}

void Engine::draw_order() {
  random_.shuffle(order_.data(), static_cast<std::uint32_t>(threads_));
  warp_by_warp_ = (random_.next() & 1) != 0;
  if (!warp_by_warp_ || threads_ <= kWarp) return;
  std::array<std::uint16_t, kMaxThreads> lanes;
  std::array<std::size_t, kMaxThreads / kWarp> counts = {};
  for (const std::uint16_t thread : order_) {
    const std::size_t w = thread / kWarp;
    lanes[w * kWarp + counts[w]++] = thread;
  }
  // Warps in the order of their first threads, which is as much by chance.
  std::size_t at = 0;
  std::array<std::uint16_t, kMaxThreads> mixed;
  std::copy(order_.begin(), order_.end(), mixed.begin());
  for (std::size_t t = 0; t < order_.size(); ++t) {
    const std::size_t w = mixed[t] / kWarp;
    for (std::size_t i = 0; i < counts[w]; ++i) order_[at++] = lanes[w * kWarp + i];
    counts[w] = 0;
  }
}

uint3 Engine::index_of(int thread) const {
  const auto t = static_cast<unsigned>(thread);
  const dim3& size = launch_->block;
  if (size.y == 1 && size.z == 1) return {t, 0, 0};
  return {t % size.x, t / size.x % size.y, t / size.x / size.y};
}

void Engine::run_thread(int thread) {
  current_->thread = thread;
  threadIdx = index_of(thread);
  try {
    launch_->run_thread(launch_->call);
  } catch (const Abandoned&) {
    return;
  } catch (const std::exception& error) {
    fail(thread, std::string("throws ") + error.what());
    return;
  }
  ++exited_;
  Warp& warp = warps_[static_cast<std::size_t>(thread / kWarp)];
  warp.exited |= 1u << (thread % kWarp);
  if (at_barrier_ > 0 || warp.waiting != 0) check_exit(thread);
}

// Whether to run a thread that has not started, rather than one that can go on.
bool Engine::unstarted_first() {
  if (started_ == threads_) return false;
  return start_one_ || ready_.empty() || (!warp_by_warp_ && (random_.next() & 1) != 0);
}

Engine::Worker* Engine::idle_worker() {
  if (idle_.empty()) {
    workers_.push_back(std::make_unique<Worker>());
    stacks_.prepare(&workers_.back()->fiber, &Engine::enter_fiber);
    return workers_.back().get();
  }
  Worker* worker = idle_.back();
  idle_.pop_back();
  return worker;
}

void Engine::enter_fiber(boost::context::detail::transfer_t transfer) {
  Engine& engine = running();
  arrived(&engine.current_->fiber, transfer);
  engine.work();
}

void Engine::switch_to(Worker* next) {
  Worker* self = std::exchange(current_, next);
  switch_fiber(&self->fiber, &next->fiber);
}

// Lets others run until this thread can go on, which whoever makes that so says by ready_.
void Engine::suspend() {
  Worker* self = current_;
  self->index = threadIdx;
  Worker* next = nullptr;
  if (unstarted_first()) {
    start_one_ = true;
    next = idle_worker();
  } else if (!ready_.empty()) {
    next = ready_.pop();
  } else {
    fail_deadlock();
  }
  if (next != nullptr && next != self) switch_to(next);
  threadIdx = self->index;
  suspended_[static_cast<std::size_t>(self->thread)] = nullptr;
  if (failed_) throw Abandoned{};
}

Engine::Worker* Engine::any_suspended() const {
  for (Worker* worker : suspended_) {
    if (worker != nullptr) return worker;
  }
  return nullptr;
}

void Engine::barrier(Site site) {
  const int thread = current_->thread;
  if (at_barrier_ == 0) {
    barrier_site_ = site;
    first_at_barrier_ = thread;
  }
  if (exited_ > 0 || !same(site, barrier_site_)) fault_of_barrier(site);
  suspended_[static_cast<std::size_t>(thread)] = current_;
  if (++at_barrier_ == threads_) release_barrier();
  suspend();
}

void Engine::fault_of_barrier(Site site) {
  if (exited_ > 0) {
    fault("waits at " + text(site) + " for threads that have returned from the kernel");
  }
  fault("waits at the barrier at " + text(site) + ", while " + place(first_at_barrier_) +
        " waits at that at " + text(barrier_site_));
}

void Engine::release_barrier() {
  at_barrier_ = 0;
  draw_order();
  for (const std::uint16_t thread : order_) ready_.push_back(suspended_[thread]);
}

void* Engine::shared_memory(const SharedArray* array) {
  void* memory = shared_.find(array, shared_limit_);
  if (memory == nullptr) {
    fault("needs " + std::to_string(shared_.bytes()) + " bytes of shared memory with '" +
          array->name + "', which is more than " + std::to_string(shared_limit_));
  }
  return memory;
}

void misaligned_access(const void* pointer, std::size_t bytes) {
  char address[32];
  std::snprintf(address, sizeof address, "%p", pointer);
  Engine::running().fault("accesses " + std::to_string(bytes) + " bytes at once at " + address +
                              ", which is not a multiple of that",
                          cudaErrorMisalignedAddress);
}
void barrier(Site site) {
  Engine::running().barrier(site);
}
std::uint64_t shuffle(Shuffle kind, unsigned mask, std::uint64_t value, int operand, int width,
                      Site site) {
  return Engine::running().shuffle(kind, mask, value, operand, width, site);
}
void* shared_memory(const SharedArray* array) {
  return Engine::running().shared_memory(array);
}
void* dynamic_shared_memory() {
  return Engine::running().dynamic_shared_memory();
}

}  // namespace crocuta::emulation
