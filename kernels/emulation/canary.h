// What redzones are filled with: a NaN in every floating type, so that what was read there shows in
// the results, and not what kernels write.
#pragma once

#include <cstddef>
#include <cstdint>

namespace crocuta::emulation {

inline unsigned char canary_at(const char* p) {
  return reinterpret_cast<std::uintptr_t>(p) % 2 == 0 ? 0xf7 : 0xff;
}
inline void fill_canary(char* begin, std::size_t bytes) {
  for (char* p = begin; p != begin + bytes; ++p) *p = static_cast<char>(canary_at(p));
}
inline bool is_canary(const char* begin, std::size_t bytes) {
  for (const char* p = begin; p != begin + bytes; ++p) {
    if (static_cast<unsigned char>(*p) != canary_at(p)) return false;
  }
  return true;
}

}  // namespace crocuta::emulation
