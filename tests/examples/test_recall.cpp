#include <cmath>
#include <map>
#include <set>

#include "examples/hyena/data/recall.h"
#include "framework/base/error.h"
#include "tests/support/catch.h"

using namespace crocuta;
using hyena::Recall;
using Sequence = std::vector<std::int64_t>;

namespace {
void require_recall(const Sequence& s, const Recall& recall) {
  const auto& o = recall.options();
  REQUIRE(static_cast<std::int64_t>(s.size()) == o.context + 3);
  std::map<std::int64_t, std::int64_t> value_of;
  for (std::int64_t i = 0; i < o.context; i += 2) {
    REQUIRE((s[i] >= 1 && s[i] <= recall.keys()));
    REQUIRE((s[i + 1] > recall.keys() && s[i + 1] < o.symbols - 1));
    const auto [entry, fresh] = value_of.emplace(s[i], s[i + 1]);
    REQUIRE((fresh || entry->second == s[i + 1]));  // one value per key
  }
  REQUIRE(s[o.context] == o.symbols - 1);
  REQUIRE(value_of.contains(s[o.context + 1]));  // the key occurred
  REQUIRE(value_of.at(s[o.context + 1]) == s[o.context + 2]);
}
}  // namespace

TEST_CASE("recall sequences are pairs under one map, a question and its answer") {
  Recall recall({.symbols = 30, .context = 20, .seed = 5, .test_sequences = 50});
  for (std::int64_t i = 0; i < 200; ++i) require_recall(recall.train(i), recall);
  for (std::int64_t i = 0; i < 50; ++i) require_recall(recall.test(i), recall);
}

TEST_CASE("recall sequences are a pure function of seed, split and index") {
  Recall a({.seed = 3}), b({.seed = 3}), c({.seed = 4});
  const Sequence tenth = a.train(10);
  for (std::int64_t i = 0; i < 10; ++i) b.train(i);
  REQUIRE(b.train(10) == tenth);
  REQUIRE(c.train(10) != tenth);
  REQUIRE(a.train(11) != tenth);
  REQUIRE(b.test(7) == a.test(7));
}

TEST_CASE("training and test share no recall sequence, even where few exist") {
  // 2 keys, 2 values, 4 pairs: 116 sequences in all, of which training would soon meet
  // every one of the test set if it were not kept out.
  Recall recall({.symbols = 6, .context = 8, .test_sequences = 2});
  const std::set<Sequence> test{recall.test(0), recall.test(1)};
  REQUIRE(test.size() == 2);
  std::set<Sequence> train;
  for (std::int64_t i = 0; i < 20'000; ++i) train.insert(recall.train(i));
  REQUIRE(train.size() == 116 - 2);  // 14 key orders x 4 maps x 2 questions + 2 x 2 x 1, less 2
  for (const auto& sequence : test) REQUIRE(!train.contains(sequence));
}

TEST_CASE("a finite recall training set repeats every epoch in another order") {
  Recall recall({.train_sequences = 40});
  std::multiset<Sequence> first, second;
  bool same_order = true;
  for (std::int64_t i = 0; i < 40; ++i) {
    first.insert(recall.train(i));
    second.insert(recall.train(40 + i));
    same_order = same_order && recall.train(i) == recall.train(40 + i);
  }
  REQUIRE(first == second);
  REQUIRE(std::set<Sequence>(first.begin(), first.end()).size() == 40);
  REQUIRE(!same_order);
}

TEST_CASE("keys and the order of pairs are uniform") {
  Recall recall({.symbols = 10, .context = 64});
  std::map<std::int64_t, int> answers;
  for (std::int64_t i = 0; i < 4000; ++i) ++answers[recall.train(i).back()];
  REQUIRE(answers.size() == 4);
  for (const auto& [value, count] : answers) REQUIRE(std::abs(count - 1000) < 150);  // 5 sigma
}

TEST_CASE("symbols have names") {
  std::string names;
  for (std::int64_t s = 0; s < 10; ++s) names += hyena::recall_name(s, 10) + " ";
  REQUIRE(names == ". a b c d A B C D => ");
  REQUIRE(hyena::recall_name(27, 62) == "k26");
  REQUIRE(hyena::recall_name(60, 62) == "V29");
}

TEST_CASE("recall refuses impossible sizes") {
  const auto refuses = [](hyena::RecallOptions o, const std::string& text) {
    REQUIRE_THROWS_AS(Recall(o), ArgumentError);
    REQUIRE_THROWS_WITH(Recall(o), ContainsSubstring(text));
  };
  refuses({.symbols = 7}, "recall: 'symbols': expected an even number >= 6, got 7");
  refuses({.symbols = 4}, "recall: 'symbols': expected an even number >= 6, got 4");
  refuses({.context = 3}, "recall: 'seq_len': expected an even number >= 2, got 3");
  refuses({.train_sequences = -1}, "recall: 'train_sequences': expected at least 0, got -1");
  refuses({.test_sequences = 0}, "recall: 'test_sequences': expected at least 1, got 0");
  refuses({.symbols = 6, .context = 2, .test_sequences = 500}, "recall: 'test_sequences'");
}
