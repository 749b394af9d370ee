// Runs the threads of a kernel on one thread of the CPU: blocks one after the other, the threads of
// a block as fibers that take turns at barriers and warp operations.
//
// A thread runs until it must wait for others. Any order of threads between two barriers is one
// that a GPU may choose, so the order is drawn by chance, anew at every barrier: of two accesses
// that lack a barrier between them, either may come first, and a kernel that needs one order gives
// wrong results under some seeds. Now threads are mixed, now whole warps follow one another.
// Threads that never wait need no fiber of their own; a kernel without barriers runs in a plain
// loop, on the stack of its caller.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "emulation/device_code.h"
#include "emulation/fiber.h"
#include "emulation/limits.h"
#include "emulation/permutation.h"
#include "emulation/runtime_api.h"
#include "emulation/shared_memory.h"

namespace crocuta::emulation {

class Engine {
 public:
  Engine();
  ~Engine();
  static Engine& of_this_thread();
  // The engine whose kernel runs in this thread now. Outside kernels this ends the program, since
  // what can only be said in a kernel was said elsewhere.
  static Engine& running();

  struct Failure {
    cudaError_t error = cudaSuccess;
    std::string text;  // with block and thread
  };
  // `shared_limit` is for static and dynamic shared memory together.
  Failure run(const Launch& launch, std::size_t shared_limit);

  // Called from kernels.
  void barrier(Site site);
  std::uint64_t shuffle(Shuffle kind, unsigned mask, std::uint64_t value, int operand, int width,
                        Site site);
  void* shared_memory(const SharedArray* array);
  void* dynamic_shared_memory() { return shared_.dynamic(); }
  // Ends the kernel: the thread that runs is at fault.
  [[noreturn]] void fault(const std::string& what, cudaError_t error = cudaErrorLaunchFailure);

 private:
  struct Abandoned {};  // thrown through the threads of a kernel that will not be finished
  // A fiber, and the thread that runs on it.
  struct Worker {
    Fiber fiber;
    int thread = -1;
    uint3 index = {};
  };
  // What a lane brought to a warp operation, and what it gets.
  struct Lane {
    Shuffle kind;
    unsigned mask;
    int operand, width;
    std::uint64_t value, result;
    Site site;
  };
  // Its lanes, as bits.
  struct Warp {
    unsigned lanes = 0;  // those there are
    unsigned waiting = 0, exited = 0;
  };
  // First in, first out, or the other way round. No thread is in it twice.
  class Queue {
   public:
    bool empty() const { return size_ == 0; }
    void clear() { size_ = 0; }
    void push_back(Worker* worker) { workers_[(head_ + size_++) % kMaxThreads] = worker; }
    void push_front(Worker* worker) {
      head_ = (head_ + kMaxThreads - 1) % kMaxThreads;
      ++size_;
      workers_[head_] = worker;
    }
    Worker* pop() {
      Worker* worker = workers_[head_];
      head_ = (head_ + 1) % kMaxThreads;
      --size_;
      return worker;
    }

   private:
    std::array<Worker*, kMaxThreads> workers_;
    unsigned head_ = 0, size_ = 0;
  };

  static void enter_fiber(boost::context::detail::transfer_t transfer);
  void work();
  void run_thread(int thread);
  bool next_block();
  void suspend();
  void switch_to(Worker* next);
  bool unstarted_first();
  Worker* idle_worker();
  Worker* any_suspended() const;
  void draw_order();
  void release_barrier();
  bool valid_lanes(int warp, int lane) const;
  [[noreturn]] void fault_of_lanes(int warp, int lane);
  [[noreturn]] void fault_of_barrier(Site site);
  void finish_shuffle(int warp, unsigned mask);
  std::uint64_t gathered(int warp, int lane, std::uint64_t ballot);
  void check_exit(int thread);

  void fail(int thread, const std::string& what, cudaError_t error = cudaErrorLaunchFailure);
  void fail_deadlock();
  std::string place(int thread) const;
  uint3 index_of(int thread) const;

  const Launch* launch_ = nullptr;
  std::size_t shared_limit_ = 0;
  SharedMemory shared_;
  Random random_;
  std::uint64_t launches_ = 0;
  BlockOrder blocks_;
  bool failed_ = false, done_ = false, quit_ = false;
  Failure failure_;

  // Of the running block.
  int threads_ = 0;
  std::vector<std::uint16_t> order_;  // of the threads, at the start
  int started_ = 0, exited_ = 0, at_barrier_ = 0;
  // Until the next barrier each warp goes as far as it can before the next one starts. Where
  // threads are mixed all warps come about equally far: one hardly ever meets what another did much
  // later.
  bool warp_by_warp_ = false;
  bool start_one_ = false;  // a fiber was switched to so that it runs an unstarted thread
  Site barrier_site_ = {};
  int first_at_barrier_ = 0;
  std::array<Warp, kMaxThreads / kWarp> warps_;
  std::vector<Lane> lanes_;         // by thread
  std::vector<Worker*> suspended_;  // by thread; nullptr for those that are not
  Queue ready_;                     // suspended, with nothing to wait for any more

  Worker main_;  // on the stack of the launch
  Worker* current_ = &main_;
  FiberStacks stacks_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<Worker*> idle_;
};

// Draws the orders of all kernels launched later; CROCUTA_EMULATION_SEED does so at the start.
void set_seed(std::uint64_t seed);

inline bool same(Site a, Site b) {
  return a.line == b.line && (a.file == b.file || std::string_view(a.file) == b.file);
}
std::string text(Site site);
std::string text(uint3 index);

}  // namespace crocuta::emulation
