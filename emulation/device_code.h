// What a kernel's source is written with, as ordinary C++: qualifiers, indices, shared memory,
// barriers, warp shuffles, intrinsics; and how it is launched.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "emulation/runtime_api.h"
#include "emulation/vector_types.h"

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)
#define __align__(bytes) __attribute__((aligned(bytes)))

// Of the thread that runs now; plain variables, so that a debugger can print them and break on
// them. One set per host thread, since several may launch kernels at once.
#define CROCUTA_KERNEL_STATE \
  extern constinit thread_local __attribute__((tls_model("initial-exec")))
CROCUTA_KERNEL_STATE uint3 threadIdx;
CROCUTA_KERNEL_STATE uint3 blockIdx;
CROCUTA_KERNEL_STATE dim3 blockDim;
CROCUTA_KERNEL_STATE dim3 gridDim;
#undef CROCUTA_KERNEL_STATE
inline constexpr int warpSize = 32;

namespace crocuta::emulation {

// Where in the source something stands; a default argument `Site site = Site::here()` is the
// caller's.
struct Site {
  const char* file;
  int line;

  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// A shared array's declaration. Its address tells arrays apart.
struct SharedArray {
  const char* name;
  Site site;
  std::size_t bytes;
};

// The running block's memory for it: full of 0xff bytes (a float's NaN) when the block starts.
void* shared_memory(const SharedArray* array);
void* dynamic_shared_memory();

void barrier(Site site);

// A fault unless `pointer` is aligned to an access of so many bytes, a power of two.
[[noreturn]] void misaligned_access(const void* pointer, std::size_t bytes);
inline void require_aligned(const void* pointer, std::size_t bytes) {
  if ((reinterpret_cast<std::uintptr_t>(pointer) & (bytes - 1)) != 0) {
    misaligned_access(pointer, bytes);
  }
}

enum class Shuffle { idx, up, down, exchange, ballot };
// One warp operation: what this lane brings, and what it gets. Values travel as 64 bits; all lanes
// of the mask get the bits of ballot, in which a lane's bit is set if its value is not zero.
std::uint64_t shuffle(Shuffle kind, unsigned mask, std::uint64_t value, int operand, int width,
                      Site site);

template <class T>
T shuffle_value(Shuffle kind, unsigned mask, T value, int operand, int width, Site site) {
  static_assert(std::is_arithmetic_v<T> && (sizeof(T) == 4 || sizeof(T) == 8),
                "CUDA shuffles 32- and 64-bit numbers only");
  using Bits = std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>;
  const std::uint64_t bits = shuffle(kind, mask, std::bit_cast<Bits>(value), operand, width, site);
  return std::bit_cast<T>(static_cast<Bits>(bits));
}

// An argument as the bytes that go to the GPU.
struct Argument {
  const void* bytes;
  std::size_t size;
  bool is_pointer, is_struct;
};
struct Launch {
  const char* name;
  const void* kernel;
  dim3 grid, block;
  std::size_t shared_bytes;
  cudaStream_t stream;
  void (*run_thread)(const void* call) = nullptr;
  const void* call = nullptr;
  const Argument* arguments = nullptr;
  int argument_count = 0;
};
// Runs all threads; what goes wrong is found by cudaGetLastError().
void launch(const Launch& launch);

template <class T>
Argument argument_of(T& value) {
#if defined(__GNUC__) && !defined(__clang__)
  // What is left in a struct's gaps is no pointer of its own. A tuple lets an empty struct lie
  // where other arguments do.
  constexpr bool kReadable = std::is_class_v<T> && !std::is_empty_v<T>;
  if constexpr (kReadable) __builtin_clear_padding(&value);
#else
  constexpr bool kReadable = false;
#endif
  return {&value, sizeof value, std::is_pointer_v<T>, kReadable};
}

// A kernel and its arguments. Named functions, since they stand between the kernel and its launch
// in a debugger.
template <class... Params>
struct Call {
  void (*kernel)(Params...);
  std::tuple<Params...> args;

  template <std::size_t... I>
  static void run_thread(const void* call) {
    const auto* self = static_cast<const Call*>(call);
    self->kernel(std::get<I>(self->args)...);
  }
  template <std::size_t... I>
  void launch(Launch launch, std::index_sequence<I...>) const {
    // Looked at as a copy: GCC 12 clears the wrong bytes where a gap follows an array of structs.
    auto looked_at = args;
    const std::array<Argument, sizeof...(Params)> arguments{argument_of(std::get<I>(looked_at))...};
    launch.run_thread = &run_thread<I...>;
    launch.call = this;
    launch.arguments = arguments.data();
    launch.argument_count = static_cast<int>(arguments.size());
    emulation::launch(launch);
  }
};

template <class... Params>
void launch(const char* name, void (*kernel)(Params...), dim3 grid, dim3 block,
            std::size_t shared_bytes, cudaStream_t stream,
            const std::type_identity_t<Params>&... args) {
  static_assert((std::is_trivially_copyable_v<Params> && ...), "arguments go to the GPU as bytes");
  const Call<Params...> call{kernel, {args...}};
  call.launch({name, reinterpret_cast<const void*>(kernel), grid, block, shared_bytes, stream},
              std::index_sequence_for<Params...>());
}

}  // namespace crocuta::emulation

// See kernels/cuda/toolbox/runtime.h. The array is a reference, so that -fsanitize=bounds knows its
// size.
#define CROCUTA_SHARED(T, name, size)                                              \
  static constexpr ::crocuta::emulation::SharedArray crocuta_##name##_declaration{ \
      #name, {__FILE__, __LINE__}, sizeof(T[size])};                               \
  T(&name)                                                                         \
  [size] = *reinterpret_cast<T(*)[size]>(                                          \
      ::crocuta::emulation::shared_memory(&crocuta_##name##_declaration))
#define CROCUTA_DYNAMIC_SHARED(T, name) \
  T* const name = static_cast<T*>(::crocuta::emulation::dynamic_shared_memory())

inline void __syncthreads(crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  crocuta::emulation::barrier(site);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  crocuta::emulation::shuffle(crocuta::emulation::Shuffle::ballot, mask, 0, 0, 32, site);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  using namespace crocuta::emulation;
  return shuffle_value(Shuffle::idx, mask, value, lane, width, site);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned delta, int width = 32,
                 crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  using namespace crocuta::emulation;
  return shuffle_value(Shuffle::up, mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned delta, int width = 32,
                   crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  using namespace crocuta::emulation;
  return shuffle_value(Shuffle::down, mask, value, static_cast<int>(delta), width, site);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lane_mask, int width = 32,
                  crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  using namespace crocuta::emulation;
  return shuffle_value(Shuffle::exchange, mask, value, lane_mask, width, site);
}
inline unsigned __ballot_sync(unsigned mask, int predicate,
                              crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  using namespace crocuta::emulation;
  return static_cast<unsigned>(shuffle(Shuffle::ballot, mask, predicate != 0, 0, 32, site));
}
inline int __any_sync(unsigned mask, int predicate,
                      crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  return __ballot_sync(mask, predicate, site) != 0;
}
inline int __all_sync(unsigned mask, int predicate,
                      crocuta::emulation::Site site = crocuta::emulation::Site::here()) {
  return __ballot_sync(mask, predicate, site) == mask;
}

#include "emulation/intrinsics.h"
