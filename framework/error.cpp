#include "framework/error.h"

namespace crocuta {
namespace {

// The length of the valid UTF-8 sequence at the start of `text`; 0 if there is none.
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

// C1 controls, and the marks that reorder or hide text on a terminal.
bool is_invisible(std::string_view sequence) {
  if (sequence.size() == 2)
    return sequence[0] == '\xc2' && static_cast<unsigned char>(sequence[1]) < 0xa0;
  return sequence.starts_with("\xe2\x80") || sequence.starts_with("\xe2\x81") ||
         sequence == "\xef\xbb\xbf";
}
}  // namespace

std::string printable(std::string_view text, std::size_t limit) {
  constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    std::size_t length = utf8_length(text.substr(i));
    std::string piece;
    if (length == 0 || byte < 0x20 || byte == 0x7f || is_invisible(text.substr(i, length))) {
      length = 1;
      piece = {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
    } else {
      piece = std::string(text.substr(i, length));
    }
    if (out.size() + piece.size() > limit) return out + "...";
    out += piece;
    i += length;
  }
  return out;
}

}  // namespace crocuta
