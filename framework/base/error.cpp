#include "framework/base/error.h"

#include "framework/base/utf8.h"

namespace crocuta {
namespace {

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
