#include <cstdio>
#include <string>

#include "examples/hyena/data/fasta.h"
#include "framework/base/error.h"
#include "tests/support/catch.h"

using namespace crocuta;
using hyena::FastaParser;

namespace {

// The tokens as letters.
std::string parse(const std::string& text, std::vector<std::string>* warnings = nullptr,
                  std::size_t piece = 1 << 20) {
  FastaParser parser("x.fa");
  for (std::size_t i = 0; i < text.size(); i += piece) {
    parser.feed(std::string_view(text).substr(i, piece));
  }
  parser.finish();
  if (warnings) *warnings = parser.warnings();
  std::string letters;
  for (const std::uint8_t token : parser.tokens()) letters += hyena::kBases[token];
  return letters;
}

std::string error_of(const std::string& text) {
  try {
    parse(text);
  } catch (const FormatError& e) {
    return e.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("harmless variations of a FASTA file give the tokens of the clean file") {
  const std::string clean = ">a\nACGTN\nTTGA\n";
  REQUIRE(parse(clean) == "ACGTNTTGA");
  for (const std::string variation : {
           ">a\nacgtn\nttga\n",              // lower case
           ">a\r\nACGTN\r\nTTGA\r\n",        // CRLF
           ">a\rACGTN\rTTGA\r",              // lone CR
           ">a\nACGTN\nTTGA",                // no final newline
           "\n>a\n\nACGTN\n\n\nTTGA\n\n",    // blank lines
           ">a\nACGTN  \nTTGA\t\n",          // trailing blanks
           "\xef\xbb\xbf>a\nACGTN\nTTGA\n",  // byte-order mark
           ">a\nACGUN\nUUGA\n",              // RNA
           ">a > b ; 7\nACGTN\nTTGA\n",      // signs and digits in the header
       }) {
    CAPTURE(variation);
    std::vector<std::string> warnings;
    REQUIRE(parse(variation, &warnings) == "ACGTNTTGA");
    REQUIRE(warnings.empty());
    REQUIRE(parse(variation, nullptr, 1) == "ACGTNTTGA");  // cut into single bytes
  }
}

TEST_CASE("records are joined with one N between them") {
  REQUIRE(parse(">a\nACG\n>b\nTT\n>c\nG\n") == "ACGNTTNG");
}

TEST_CASE("codes for several bases become N, with one warning that counts them") {
  std::vector<std::string> warnings;
  REQUIRE(parse(">a\nARYSWKMBDHVn\nryA\n", &warnings) == "ANNNNNNNNNNNNNA");
  REQUIRE(warnings ==
          std::vector<std::string>{"fasta: 'x.fa': 12 ambiguous bases (R, Y, S, ...) read as N"});
}

TEST_CASE("a header without a sequence is a warning that names its line") {
  std::vector<std::string> warnings;
  REQUIRE(parse(">a\n>b\nAC\n>c\n", &warnings) == "AC");
  REQUIRE(warnings == std::vector<std::string>{"fasta: 'x.fa': line 1: header without a sequence",
                                               "fasta: 'x.fa': line 4: header without a sequence"});
}

TEST_CASE("what is no FASTA is refused with line and column") {
  using namespace std::string_literals;
  REQUIRE(error_of("\x1f\x8b\x08\x00xyz"s) ==
          "fasta: 'x.fa': line 1: byte 0x1f; gzip? decompress first");
  REQUIRE(error_of("\x7f"s + "ELF") ==
          "fasta: 'x.fa': line 1, column 1: byte 0x7f; not a text file?");
  REQUIRE(error_of("\xef\xbbZ") == "fasta: 'x.fa': line 1: byte 0xef; not a text file?");
  REQUIRE(error_of(">a\nAC\0GT\n"s) ==
          "fasta: 'x.fa': line 2, column 3: NUL byte; not a text file");
  REQUIRE(error_of(">a\0b\nAC\n"s) == "fasta: 'x.fa': line 1, column 3: NUL byte; not a text file");
  REQUIRE(error_of(">a\nACGT\nAC7T\n") ==
          "fasta: 'x.fa': line 3, column 3: digit '7' in the sequence");
  REQUIRE(error_of(">a\r\nACGT\r\nAC7T\n") ==
          "fasta: 'x.fa': line 3, column 3: digit '7' in the sequence");
  REQUIRE(error_of(">a\nMKLE\n") == "fasta: 'x.fa': line 2, column 3: letter 'L' in the sequence");
  REQUIRE(error_of(">a\nAC-T\n") == "fasta: 'x.fa': line 2, column 3: sign '-' in the sequence");
  REQUIRE(error_of("ACGT\n") ==
          "fasta: 'x.fa': line 1: expected a header ('>name') before the sequence");
  REQUIRE(error_of("{}\n") == "fasta: 'x.fa': line 1: expected a header ('>name'), got '{'");
  REQUIRE(error_of(">a\n>b\n") == "fasta: 'x.fa': expected at least one base, got none");
  REQUIRE(error_of("") == "fasta: 'x.fa': expected at least one base, got none");
}

TEST_CASE("a header longer than memory should hold costs nothing") {
  FastaParser parser("x.fa");
  parser.feed(">");
  const std::string piece(1 << 16, 'x');
  for (int i = 0; i < 64; ++i) parser.feed(piece);
  parser.feed("\nACGT");
  parser.finish();
  REQUIRE(parser.tokens().size() == 4);
  REQUIRE(parser.tokens().capacity() < 1024);
}

TEST_CASE("a line of any length keeps its tokens only, and is counted to its end") {
  FastaParser parser("x.fa");
  parser.feed(">x\nA");
  const std::string blanks(1 << 16, ' ');
  for (int i = 0; i < 64; ++i) parser.feed(blanks);
  parser.feed("C");
  REQUIRE(parser.tokens().size() == 2);
  REQUIRE(parser.tokens().capacity() < 1024);
  REQUIRE_THROWS_WITH(parser.feed("7"),
                      "fasta: 'x.fa': line 2, column 4194307: digit '7' in the "
                      "sequence");
}

TEST_CASE("file names are escaped before they reach the terminal") {
  FastaParser parser("a\x1b[31m.fa");
  REQUIRE_THROWS_WITH(parser.feed("{"), ContainsSubstring("a\\x1b[31m.fa"));
}
