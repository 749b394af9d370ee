#include "emulation/fiber.h"

#include <sys/mman.h>

#include <stdexcept>

#include "emulation/asan.h"

namespace crocuta::emulation {
namespace {

using boost::context::detail::transfer_t;

constexpr std::size_t kStackBytes = 256 << 10;  // of addresses; memory only as far as it is used
constexpr std::size_t kGuardBytes = 4 << 10;
constexpr int kStacksPerSlab = 64;
// Stacks that all began at the same place of a page would compete for the same lines of the cache.
constexpr std::size_t kColours = 16, kColourBytes = 256;

}  // namespace

FiberStacks::~FiberStacks() {
  for (const Slab& slab : slabs_) {
    allow(slab.begin, slab.bytes);
    munmap(slab.begin, slab.bytes);
  }
}

void FiberStacks::prepare(Fiber* fiber, void (*entry)(transfer_t)) {
  if (free_ == 0) {
    const std::size_t bytes = kStacksPerSlab * kStackBytes;
    void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapped == MAP_FAILED) throw std::runtime_error("emulation: no memory for fibers");
    madvise(mapped, bytes, MADV_NOHUGEPAGE);
    slabs_.push_back({static_cast<char*>(mapped), bytes});
    free_ = kStacksPerSlab;
  }
  const auto index = static_cast<std::size_t>(--free_);
  char* stack = slabs_.back().begin + index * kStackBytes;
  mprotect(stack, kGuardBytes, PROT_NONE);  // an overflow is a fault, not a neighbour's garbage
  fiber->stack = stack;
  fiber->stack_bytes = kStackBytes - index % kColours * kColourBytes;
  fiber->context =
      boost::context::detail::make_fcontext(stack + fiber->stack_bytes, fiber->stack_bytes, entry);
}

// The fiber that is left travels with the switch, to be told where it was left.
void arrived(Fiber* fiber, transfer_t transfer) {
  auto* left = static_cast<Fiber*>(transfer.data);
  left->context = transfer.fctx;
#if defined(CROCUTA_EMULATION_ASAN)
  __sanitizer_finish_switch_fiber(fiber->fake_stack, &left->stack, &left->stack_bytes);
#else
  static_cast<void>(fiber);
#endif
}

void switch_fiber(Fiber* from, Fiber* to) {
#if defined(CROCUTA_EMULATION_ASAN)
  __sanitizer_start_switch_fiber(&from->fake_stack, to->stack, to->stack_bytes);
#endif
  arrived(from, boost::context::detail::jump_fcontext(to->context, from));
}

void leave_fiber(Fiber* from, Fiber* to) {
#if defined(CROCUTA_EMULATION_ASAN)
  __sanitizer_start_switch_fiber(nullptr, to->stack, to->stack_bytes);
#endif
  boost::context::detail::jump_fcontext(to->context, from);
}

}  // namespace crocuta::emulation
