#include "framework/base/utf8.h"

namespace crocuta {

std::size_t utf8_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  std::size_t length = 0;
  char32_t point = 0, least = 0;
  if (lead < 0x80) return 1;
  if (lead >= 0xc2 && lead < 0xe0)
    length = 2, point = lead & 0x1fu, least = 0x80;
  else if (lead >= 0xe0 && lead < 0xf0)
    length = 3, point = lead & 0x0fu, least = 0x800;
  else if (lead >= 0xf0 && lead < 0xf5)
    length = 4, point = lead & 0x07u, least = 0x10000;
  if (length == 0 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0u) != 0x80u) return 0;
    point = (point << 6) | (byte(i) & 0x3fu);
  }
  const bool surrogate = point >= 0xd800 && point < 0xe000;
  return point >= least && point < 0x110000 && !surrogate ? length : 0;
}

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const std::size_t length = utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

}  // namespace crocuta
