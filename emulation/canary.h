// What redzones are filled with: NaNs of every floating type, so that what was read there shows in
// the results; and other ones at each place, so that copying one redzone to another shows too.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace crocuta::emulation {

// Of the eight bytes at `address`, a multiple of eight: four times 0xff81 ... 0xffff.
inline std::uint64_t canary_word(std::uintptr_t address) {
  const std::uint64_t hash = (address * 0x9e3779b97f4a7c15u) >> 57;
  return 0xff80ff80ff80ff80u + (hash == 0 ? 1 : hash) * 0x0001000100010001u;
}
inline std::uint64_t bytes_at(const char* p) {
  std::uint64_t word;
  std::memcpy(&word, p, sizeof word);
  return word;
}

// Calls visit(byte, expected) for those at the ends and visit_word(begin, expected) for the rest.
template <class VisitByte, class VisitWord>
void visit_canary(std::uintptr_t begin, std::size_t bytes, VisitByte visit, VisitWord visit_word) {
  const std::uintptr_t end = begin + bytes;
  std::uintptr_t at = begin;
  while (at < end) {
    const std::uint64_t word = canary_word(at & ~std::uintptr_t{7});
    if (at % 8 == 0 && end - at >= 8) {
      visit_word(reinterpret_cast<char*>(at), word);
      at += 8;
    } else {
      visit(reinterpret_cast<char*>(at), static_cast<char>(word >> (at % 8 * 8)));
      ++at;
    }
  }
}

inline void fill_canary(char* begin, std::size_t bytes) {
  visit_canary(
      reinterpret_cast<std::uintptr_t>(begin), bytes, [](char* p, char value) { *p = value; },
      [](char* p, std::uint64_t word) { std::memcpy(p, &word, sizeof word); });
}
inline bool is_canary(const char* begin, std::size_t bytes) {
  bool intact = true;
  visit_canary(
      reinterpret_cast<std::uintptr_t>(begin), bytes,
      [&](const char* p, char value) { intact &= *p == value; },
      [&](const char* p, std::uint64_t word) { intact &= bytes_at(p) == word; });
  return intact;
}

}  // namespace crocuta::emulation
