#include "distributed/agreement.h"

#include "distributed/backends/threads.h"
#include "distributed/init.h"
#include "tests/support/catch.h"

namespace crocuta {
namespace {

// What disagreement() says where rank r knows facts[r]; the same on all ranks.
std::string disagreement_of(const std::vector<std::vector<Fact>>& facts) {
  const int ranks = static_cast<int>(facts.size());
  std::vector<std::string> said(facts.size());
  run_ranks(ranks, [&](const ProcessGroup& world) {
    const auto me = static_cast<std::size_t>(world.rank());
    said[me] = disagreement(facts[me], world);
  });
  for (const std::string& text : said) CHECK(text == said[0]);
  return said[0];
}

std::string rank(int number) {
  return str("rank ", number, " (", distributed::host_name(), ")");
}

TEST_CASE("texts of any length are gathered from all ranks") {
  CHECK(gather_texts("alone", ProcessGroup()) == std::vector<std::string>{"alone"});
  std::vector<std::vector<std::string>> none(3), some(3);
  run_ranks(3, [&](const ProcessGroup& world) {
    const auto me = static_cast<std::size_t>(world.rank());
    none[me] = gather_texts("", world);
    some[me] = gather_texts(std::string(me * 5, 'x'), world);
  });
  for (std::size_t r = 0; r < 3; ++r) {
    CHECK(none[r] == std::vector<std::string>(3));
    CHECK(some[r] == std::vector<std::string>{"", std::string(5, 'x'), std::string(10, 'x')});
  }
}

TEST_CASE("the first failure is known to all ranks, with its rank and host unless all fail alike") {
  const auto said = [](const std::vector<std::string>& texts) {
    std::vector<std::string> heard(texts.size());
    run_ranks(static_cast<int>(texts.size()), [&](const ProcessGroup& world) {
      const auto me = static_cast<std::size_t>(world.rank());
      const auto [who, text] = first_failure(texts[me], world);
      heard[me] = who + text;
    });
    for (const std::string& text : heard) CHECK(text == heard[0]);
    return heard[0];
  };
  CHECK(said({"", "", ""}).empty());
  CHECK(said({"", "no file", "no memory"}) == rank(1) + ": no file");
  CHECK(said({"no file", "no file"}) == "no file");
  CHECK(said({"no file"}) == "no file");
}

TEST_CASE("equal facts are agreed on, whatever is shown for them") {
  CHECK(disagreement_of({{{"a", "1"}}}).empty());
  CHECK(disagreement_of({{{"a", "1"}, {"b", "2"}}, {{"a", "1"}, {"b", "2"}}}).empty());
  CHECK(disagreement_of({{{"a", "1", "here"}}, {{"a", "1", "there"}}}).empty());
  CHECK(disagreement_of({{}, {}}).empty());
}

TEST_CASE("different facts are named with ranks, hosts and values") {
  CHECK(disagreement_of({{{"a", "1"}, {"lr", "0.1"}}, {{"a", "1"}, {"lr", "0.2"}}}) ==
        "'lr': expected the same on all ranks, got 0.1 on " + rank(0) + ", 0.2 on " + rank(1));
  CHECK(disagreement_of({{{"file", "1", "x of 1 byte"}}, {{"file", "2", "y"}}, {{"file", "1"}}}) ==
        "'file': expected the same on all ranks, got x of 1 byte on " + rank(0) + " and " +
            rank(2) + ", y on " + rank(1));
}

TEST_CASE("all differences are said, facts that a rank lacks, too") {
  CHECK(disagreement_of({{{"a", "1"}, {"b", "2"}}, {{"b", "3"}, {"c", "4"}}}) ==
        "'a': expected the same on all ranks, got 1 on " + rank(0) + ", nothing on " + rank(1) +
            "; 'b': expected the same on all ranks, got 2 on " + rank(0) + ", 3 on " + rank(1) +
            "; 'c': expected the same on all ranks, got nothing on " + rank(0) + ", 4 on " +
            rank(1));
}

TEST_CASE("many ranks with many values make a short message that cannot steer a terminal") {
  std::vector<std::vector<Fact>> facts;
  for (int r = 0; r < 5; ++r) facts.push_back({{"a", "x"}});
  for (int r = 5; r < 9; ++r) facts.push_back({{"a", str("\x1b", r)}});
  CHECK(disagreement_of(facts) == "'a': expected the same on all ranks, got x on " + rank(0) +
                                      " and " + rank(1) + " and " + rank(2) +
                                      " and 2 more, \\x1b5 on " + rank(5) + ", \\x1b6 on " +
                                      rank(6) + ", and 2 more");
}

}  // namespace
}  // namespace crocuta
