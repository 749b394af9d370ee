#include "framework/base/utf8.h"

#include <string>

#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

// As RFC 3629's table says, with the given number of bytes.
std::string encode(char32_t point, std::size_t bytes) {
  constexpr unsigned kLeads[] = {0, 0, 0xc0, 0xe0, 0xf0};
  if (bytes == 1) return {static_cast<char>(point)};
  std::string text(bytes, '\0');
  for (std::size_t i = bytes - 1; i > 0; --i, point >>= 6) {
    text[i] = static_cast<char>(0x80 | (point & 0x3f));
  }
  text[0] = static_cast<char>(kLeads[bytes] | point);
  return text;
}

std::size_t shortest(char32_t point) {
  return point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
}

}  // namespace

TEST_CASE("every code point is UTF-8 in its shortest form only, and surrogates are not") {
  int wrong = 0;
  for (char32_t point = 0; point < 0x200000; ++point) {
    const bool scalar = point < 0x110000 && !(point >= 0xd800 && point < 0xe000);
    const std::size_t bytes = shortest(point);
    const std::string text = encode(point, bytes);
    wrong += utf8_length(text) != (scalar ? bytes : 0);
    wrong += utf8_length(text + "x") != (scalar ? bytes : 0);
    wrong += is_utf8(text) != scalar;
    for (std::size_t more = bytes + 1; more <= 4; ++more) wrong += is_utf8(encode(point, more));
  }
  CHECK(wrong == 0);
}

TEST_CASE("what is cut off or continues nothing is not UTF-8") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z"));
  for (const char* text : {"\x80", "\xbf", "\xc3", "\xe2\x82", "\xf0\x9f\x98", "\xc3x", "\xe2\x82x",
                           "\xf8\x88\x80\x80\x80", "\xfe", "\xff", "a\xc3\xa9\x80"}) {
    CHECK_FALSE(is_utf8(text));
  }
}

}  // namespace crocuta::test
