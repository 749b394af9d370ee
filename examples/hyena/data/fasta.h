// FASTA: genomes as text. A record is a line that starts with '>' and the lines of bases after it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace crocuta::hyena {

// Tokens of the DNA alphabet. N stands for "unknown": it may be read but is never predicted.
inline constexpr std::string_view kBases = "ACGTN";
inline constexpr std::uint8_t kUnknownBase = 4;

// Turns FASTA text, fed in pieces of any size, into tokens 0..4. Lower case, CRLF, lone CR, blank
// lines, blanks, a byte-order mark and a missing final newline change nothing; U reads as T; the
// IUPAC codes for several bases (R Y S W K M B D H V) become N. One N is put between two records,
// so that no sequence runs across them. Only the tokens are kept: memory does not depend on how
// long a line is.
class FastaParser {
 public:
  // `name` stands in messages.
  explicit FastaParser(std::string name) : name_(std::move(name)) {}

  // Throws FormatError, with line and column, for compressed or binary data, NUL bytes, bases
  // before a header, digits, and letters or signs that stand for no base.
  void feed(std::string_view text);
  // The end of the file. Throws FormatError if there was not one base.
  void finish();

  std::vector<std::uint8_t>& tokens() { return tokens_; }
  // Where a record's bases stand in tokens(), the line of its header, and that line's first word, of
  // at most 1,000 bytes.
  struct Sequence {
    std::int64_t line, begin, end;
    std::string record;
  };
  const std::vector<Sequence>& sequences() const { return sequences_; }
  std::int64_t records() const { return records_; }
  // What was odd but harmless: records without bases, codes read as N.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  enum class Place { start, line_start, header, bases };

  void byte(unsigned char c);
  void base(unsigned char c);
  void begin_record();
  void end_record();
  [[noreturn]] void refuse(const std::string& what) const;

  std::string name_;
  Place place_ = Place::start;
  bool after_return_ = false;  // the last byte was CR, so a line feed now belongs to it
  int mark_bytes_ = 0;         // bytes of a byte-order mark seen
  std::int64_t line_ = 1, column_ = 0;
  std::string record_;
  bool in_name_ = false;  // within the header's first word
  std::int64_t records_ = 0, record_line_ = 0, record_bases_ = 0, ambiguous_ = 0;
  std::vector<std::uint8_t> tokens_;
  std::vector<Sequence> sequences_;
  std::vector<std::string> warnings_;
};

}  // namespace crocuta::hyena
