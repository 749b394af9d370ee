#include "framework/base/output.h"

#include "tests/support/catch.h"

namespace crocuta::test {

TEST_CASE("lines are broken at blanks, each within the columns") {
  CHECK(wrapped("one two three", 7) == "one two\nthree");
  CHECK(wrapped("one two three", 13) == "one two three");
  CHECK(wrapped("one two three", 3) == "one\ntwo\nthree");
  CHECK(wrapped("a  b\n\nc d\n", 80) == "a  b\n\nc d\n");
  CHECK(wrapped("", 10).empty());
  CHECK(wrapped("unbreakable word", 5) == "unbreakable\nword");
  CHECK(wrapped("\xc3\xa4\xc3\xa4\xc3\xa4 \xc3\xa4\xc3\xa4\xc3\xa4", 7) ==
        "\xc3\xa4\xc3\xa4\xc3\xa4 \xc3\xa4\xc3\xa4\xc3\xa4");
}

TEST_CASE("what follows a break stands below the text it continues") {
  CHECK(wrapped("  --steps N    Train up to step N", 30) ==
        "  --steps N    Train up to\n               step N");
  CHECK(wrapped("  two words more", 12) == "  two words\n  more");
  CHECK(wrapped("                    far right", 10) == "                    far\n     right");
}

TEST_CASE("a line is cut between characters") {
  CHECK(cut_to("abc", 5) == "abc");
  CHECK(cut_to("abc", 2) == "ab");
  CHECK(cut_to("\xc3\xa4\xc3\xb6\xc3\xbc", 2) == "\xc3\xa4\xc3\xb6");
  CHECK(cut_to("abc", 0).empty());
}

}  // namespace crocuta::test
