// A stack of one's own and the means to switch to it: Boost.Context, with what AddressSanitizer
// must be told.
#pragma once

#include <cstddef>
#include <vector>

#include <boost/context/detail/fcontext.hpp>

namespace crocuta::emulation {

// Of its interfaces this is the lowest: it neither allocates nor unwinds stacks that are dropped.
struct Fiber {
  boost::context::detail::fcontext_t context = nullptr;  // where it was left
  // Of its stack; of a thread's own only known once it was left.
  const void* stack = nullptr;  // lowest address
  std::size_t stack_bytes = 0;
  void* fake_stack = nullptr;  // AddressSanitizer's
};

// Stacks, kept until the end.
class FiberStacks {
 public:
  FiberStacks() = default;
  ~FiberStacks();
  FiberStacks(const FiberStacks&) = delete;
  FiberStacks& operator=(const FiberStacks&) = delete;

  // Gives `fiber` a stack on which entry() will run at the first switch to it. entry() never
  // returns, and calls arrived() first.
  void prepare(Fiber* fiber, void (*entry)(boost::context::detail::transfer_t));

 private:
  struct Slab {
    char* begin;
    std::size_t bytes;
  };
  std::vector<Slab> slabs_;
  int free_ = 0;  // stacks of the last slab not given out yet
};

// Leaves `from` for `to`; returns when another fiber switches to `from`.
void switch_fiber(Fiber* from, Fiber* to);
// The same, when nobody will switch to `from` again.
void leave_fiber(Fiber* from, Fiber* to);
void arrived(Fiber* fiber, boost::context::detail::transfer_t transfer);

}  // namespace crocuta::emulation
