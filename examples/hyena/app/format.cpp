#include "examples/hyena/app/format.h"

#include <array>
#include <charconv>
#include <cmath>

#include "framework/base/error.h"

namespace crocuta::hyena {

std::string count(std::int64_t value) {
  const std::string digits = std::to_string(value);
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const bool after_digit = i > 0 && digits[i - 1] != '-';
    if (after_digit && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string hexadecimal(std::uint64_t value) {
  std::string text;
  for (int shift = 60; shift >= 0; shift -= 4) text += "0123456789abcdef"[value >> shift & 15];
  return text;
}

std::string counted(std::int64_t value, const std::string& unit) {
  return count(value) + " " + unit + (value == 1 ? "" : "s");
}

namespace {

std::string number(double value, std::chars_format form, int digits) {
  if (!std::isfinite(value)) return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
  std::array<char, 400> text;
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value, form, digits);
  return std::string(text.data(), end.ptr);
}

}  // namespace

std::string fixed(double value, int digits) {
  return number(value, std::chars_format::fixed, digits);
}

std::string significant(double value, int digits) {
  return number(value, std::chars_format::general, digits);
}

std::string percent(double fraction) {
  return fixed(100 * fraction, 1) + " %";
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(std::lround(seconds));
  const auto two = [](std::int64_t n) { return str(n < 10 ? "0" : "", n); };
  if (whole < 60) return str(whole, " s");
  if (whole < 3600) return str(whole / 60, " min ", two(whole % 60), " s");
  return str(whole / 3600, " h ", two(whole / 60 % 60), " min");
}

}  // namespace crocuta::hyena
