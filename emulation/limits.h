// The sizes of the emulated GPU: those of compute capability 9.0, apart from the multiprocessors.
#pragma once

namespace crocuta::emulation {

inline constexpr int kWarp = 32;
inline constexpr int kMaxThreads = 1024;  // of a block
inline constexpr int kMaxBlockZ = 64;
inline constexpr int kMaxGridX = 2147483647;
inline constexpr int kMaxGridYZ = 65535;
inline constexpr int kDefaultSharedBytes = 48 << 10;  // more only after cudaFuncSetAttribute
inline constexpr int kMaxSharedBytes = 227 << 10;
inline constexpr int kMultiprocessors = 4;  // few, since they take turns
inline constexpr int kComputeMajor = 9, kComputeMinor = 0;
inline constexpr int kCudaVersion = 13000;

}  // namespace crocuta::emulation
