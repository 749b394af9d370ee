#include "framework/base/json.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <iterator>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/utf8.h"

namespace crocuta::json {
namespace {

// Walks over the text and counts the lines that the parser has consumed.
class LineCountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  LineCountingIterator(const char* at, int* line) : at_(at), line_(line) {}
  reference operator*() const { return *at_; }
  LineCountingIterator& operator++() {
    if (*at_++ == '\n') ++*line_;
    return *this;
  }
  LineCountingIterator operator++(int) {
    LineCountingIterator before = *this;
    ++*this;
    return before;
  }
  bool operator==(const LineCountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const LineCountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  int* line_;
};

// "line 3, column 7" of the byte at `offset`; columns count characters from 1.
std::string place(std::string_view text, std::size_t offset) {
  const std::string_view before = text.substr(0, std::min(offset, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t newline = before.rfind('\n');
  const std::string_view current =
      newline == std::string_view::npos ? before : before.substr(newline + 1);
  const auto column = 1 + std::count_if(current.begin(), current.end(), [](char c) {
                        return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
                      });
  return str("line ", line, ", column ", column);
}

}  // namespace

// The parser's callbacks: checks what the parser itself lets through and passes the rest on.
class Events {
 public:
  Events(std::string_view text, const std::string& source, int max_depth, Handler& handler)
      : text_(text), source_(source), max_depth_(max_depth), handler_(handler) {}

  int* line() { return &line_; }

  bool null() {
    handler_.null();
    return true;
  }
  bool boolean(bool value) {
    handler_.boolean(value);
    return true;
  }
  bool number_integer(std::int64_t value) {
    handler_.number(value == 0 ? "-0" : std::to_string(value));  // comes here for a leading minus
    return true;
  }
  bool number_unsigned(std::uint64_t value) {
    handler_.number(std::to_string(value));
    return true;
  }
  bool number_float(double, const std::string& text) {
    // The parser writes the decimal separator of the C locale, whatever that is, into `text`.
    std::string plain;
    for (const char c : text) {
      const bool of_a_number =
          (c >= '0' && c <= '9') || c == '+' || c == '-' || c == 'e' || c == 'E';
      plain += of_a_number ? c : '.';
    }
    handler_.number(plain);
    return true;
  }
  bool string(std::string& text) {
    handler_.string(std::move(text));
    return true;
  }
  bool binary(std::vector<std::uint8_t>&) { return false; }  // GCOVR_EXCL_LINE: text has none
  bool key(std::string& text) {
    const auto [earlier, is_new] = keys_.back().emplace(text, line_);
    if (!is_new) {
      throw FormatError(str(source_, ": line ", line_, ": duplicate key '", printable(text),
                            "', already given in line ", earlier->second));
    }
    handler_.line_ = line_;
    handler_.key(std::move(text));
    return true;
  }
  bool start_object(std::size_t) {
    descend();
    handler_.begin_object();
    return true;
  }
  bool end_object() {
    keys_.pop_back();
    handler_.end_object();
    return true;
  }
  bool start_array(std::size_t) {
    descend();
    handler_.begin_array();
    return true;
  }
  bool end_array() {
    keys_.pop_back();
    handler_.end_array();
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const std::exception& error) {
    // The library's message without its own idea of the place.
    std::string reason = error.what();
    for (const char* start : {"syntax error", "number overflow"}) {
      const std::size_t at = reason.find(start);
      if (at != std::string::npos) reason.erase(0, at);
    }
    const std::size_t offset = position == 0 ? 0 : position - 1;
    throw FormatError(str(source_, ": ", place(text_, offset), ": ", printable(reason)));
  }

 private:
  void descend() {
    keys_.emplace_back();
    if (keys_.size() > static_cast<std::size_t>(max_depth_)) {
      throw FormatError(str(source_, ": line ", line_, ": expected nesting of at most ", max_depth_,
                            " levels, got more"));
    }
  }

  std::string_view text_;
  const std::string& source_;
  int max_depth_;
  Handler& handler_;
  int line_ = 1;
  // One per open object or array (for which it stays empty): key -> line.
  std::vector<std::unordered_map<std::string, int>> keys_;
};

void parse(std::string_view text, const std::string& source, int max_depth, Handler& handler) {
  // The library would take a NUL for the end of the document and skip a byte-order mark.
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos) {
    throw FormatError(str(source, ": ", place(text, nul), ": expected JSON, got a NUL byte"));
  }
  if (text.substr(0, 3) == "\xef\xbb\xbf") text.remove_prefix(3);
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw FormatError(str(source, ": expected a JSON document, got an empty text"));
  }
  Events events(text, source, max_depth, handler);
  const LineCountingIterator first(text.data(), events.line());
  const LineCountingIterator last(text.data() + text.size(), events.line());
  nlohmann::json::sax_parse(first, last, &events);
}

std::string decimal(std::string_view text) {
  const auto take_digits = [&] {
    const std::size_t n = std::min(text.find_first_not_of("0123456789"), text.size());
    const std::string digits(text.substr(0, n));
    text.remove_prefix(n);
    return digits;
  };
  const auto take_sign = [&]() -> std::string {
    if (text.empty() || (text[0] != '+' && text[0] != '-')) return "";
    const bool minus = text[0] == '-';
    text.remove_prefix(1);
    return minus ? "-" : "";
  };
  std::string out = take_sign(), whole = take_digits(), fraction;
  const bool point = text.starts_with('.');
  if (point) {
    text.remove_prefix(1);
    fraction = take_digits();
  }
  if (whole.empty() && fraction.empty()) return "";
  whole.erase(0, std::min(whole.find_first_not_of('0'), whole.size()));
  out += whole.empty() ? "0" : whole;
  if (point) out.append(".").append(fraction.empty() ? "0" : fraction);
  if (!text.empty() && (text[0] == 'e' || text[0] == 'E')) {
    text.remove_prefix(1);
    const std::string sign = take_sign(), digits = take_digits();
    if (digits.empty()) return "";
    out.append("e").append(sign).append(digits);
  }
  return text.empty() ? out : "";
}

std::string quote(std::string_view text) {
  if (!is_utf8(text)) {
    fail<ArgumentError>("json", "text", "UTF-8", str("'", printable(text), "'"));
  }
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) {
      constexpr char kDigits[] = "0123456789abcdef";
      out += "\\u00";
      out += kDigits[(c >> 4) & 0xf];
      out += kDigits[c & 0xf];
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value);
  return {buffer, end.ptr};
}

}  // namespace crocuta::json
