#include "examples/hyena/data/fasta.h"

#include <array>
#include <cctype>

#include "examples/hyena/app/format.h"
#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

constexpr std::uint8_t kAmbiguous = 5, kNoBase = 6;

// Byte → token, kAmbiguous for a code of several bases, kNoBase for everything else.
constexpr std::array<std::uint8_t, 256> make_codes() {
  std::array<std::uint8_t, 256> codes{};
  for (auto& code : codes) code = kNoBase;
  const auto set = [&](std::string_view letters, std::uint8_t value) {
    for (const char c : letters) {
      codes[static_cast<unsigned char>(c)] = value;
      codes[static_cast<unsigned char>(c - 'A' + 'a')] = value;
    }
  };
  for (std::uint8_t i = 0; i < kBases.size(); ++i) set(kBases.substr(i, 1), i);
  set("U", 3);
  set("RYSWKMBDHV", kAmbiguous);
  return codes;
}
constexpr std::array<std::uint8_t, 256> kCodes = make_codes();

std::string hex(unsigned char c) {
  const char* digits = "0123456789abcdef";
  return std::string("0x") + digits[c >> 4] + digits[c & 15];
}

}  // namespace

void FastaParser::refuse(const std::string& what) const {
  throw FormatError(str("fasta: '", printable(name_), "': line ", line_, what));
}

void FastaParser::feed(std::string_view text) {
  for (const char c : text) byte(static_cast<unsigned char>(c));
}

void FastaParser::byte(unsigned char c) {
  constexpr unsigned char kMark[3] = {0xef, 0xbb, 0xbf};
  if (place_ == Place::start) {
    if (mark_bytes_ < 3 && c == kMark[mark_bytes_]) {
      if (++mark_bytes_ == 3) place_ = Place::line_start;
      return;
    }
    if (mark_bytes_ > 0) refuse(": byte 0xef; not a text file?");
    place_ = Place::line_start;
    if (c == 0x1f) refuse(": byte 0x1f; gzip? decompress first");
  }
  if (c == '\n' || c == '\r') {
    if (c == '\n' && after_return_) {
      after_return_ = false;
      return;
    }
    after_return_ = c == '\r';
    ++line_;
    column_ = 0;
    place_ = Place::line_start;
    return;
  }
  after_return_ = false;
  ++column_;
  if (c == 0) refuse(str(", column ", column_, ": NUL byte; not a text file"));
  if (place_ == Place::line_start && c == '>') {
    begin_record();
    place_ = Place::header;
  } else if (place_ == Place::header) {
    in_name_ = in_name_ && c != ' ' && c != '\t' && record_.size() < 1000;
    if (in_name_) record_ += static_cast<char>(c);
  } else if (c != ' ' && c != '\t') {
    place_ = Place::bases;
    base(c);
  }
}

void FastaParser::base(unsigned char c) {
  std::uint8_t token = kCodes[c];
  if (token == kNoBase) {
    if (c < 0x20 || c >= 0x7f) {
      refuse(str(", column ", column_, ": byte ", hex(c), "; not a text file?"));
    }
    if (records_ == 0)
      refuse(": expected a header ('>name'), got '" + std::string(1, static_cast<char>(c)) + "'");
    const char* kind = std::isdigit(c) ? "digit" : std::isalpha(c) ? "letter" : "sign";
    refuse(str(", column ", column_, ": ", kind, " '", static_cast<char>(c), "' in the sequence"));
  }
  if (records_ == 0) refuse(": expected a header ('>name') before the sequence");
  if (token == kAmbiguous) {
    ++ambiguous_;
    token = kUnknownBase;
  }
  if (record_bases_++ == 0 && !tokens_.empty()) tokens_.push_back(kUnknownBase);
  tokens_.push_back(token);
}

void FastaParser::begin_record() {
  end_record();
  ++records_;
  record_line_ = line_;
  record_bases_ = 0;
  record_.clear();
  in_name_ = true;
}

void FastaParser::end_record() {
  if (records_ == 0) return;
  if (record_bases_ > 0) {
    const auto end = static_cast<std::int64_t>(tokens_.size());
    sequences_.push_back({record_line_, end - record_bases_, end, record_});
    return;
  }
  warnings_.push_back(
      str("fasta: '", printable(name_), "': line ", record_line_, ": header without a sequence"));
}

void FastaParser::finish() {
  end_record();
  if (tokens_.empty()) {
    throw FormatError(str("fasta: '", printable(name_), "': expected at least one base, got none"));
  }
  if (ambiguous_ > 0) {
    warnings_.push_back(str("fasta: '", printable(name_),
                            "': ", counted(static_cast<std::int64_t>(ambiguous_), "ambiguous base"),
                            " (R, Y, S, ...) read as N"));
  }
}

}  // namespace crocuta::hyena
