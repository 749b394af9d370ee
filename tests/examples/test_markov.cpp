#include <cmath>
#include <map>

#include "distributed/backends/threads.h"
#include "examples/hyena/data/draws.h"
#include "examples/hyena/data/markov.h"
#include "framework/base/error.h"
#include "framework/device/threads.h"
#include "tests/support/catch.h"

using namespace crocuta;
using Tokens = std::vector<std::uint8_t>;

namespace {

Tokens random_tokens(std::int64_t count, std::uint64_t kinds, std::uint64_t seed) {
  hyena::Draws draws(seed, hyena::Purpose::window, 0);
  Tokens tokens;
  // Some structure: half of the tokens copy the one three back.
  for (std::int64_t i = 0; i < count; ++i) {
    const bool copy = i >= 3 && draws.below(2) == 0;
    tokens.push_back(copy ? tokens[tokens.size() - 3]
                          : static_cast<std::uint8_t>(draws.below(kinds)));
  }
  return tokens;
}

// The definition, with counts found by scanning the training region for each prediction.
double plain_probability(const Tokens& tokens, std::int64_t train_end, std::int64_t at, int order,
                         int alphabet, double backoff) {
  if (order < 0) return 1.0 / alphabet;
  const double lower = plain_probability(tokens, train_end, at, order - 1, alphabet, backoff);
  for (int j = 1; j <= order; ++j) {
    if (at - j < 0 || tokens[at - j] >= alphabet) return lower;
  }
  double n = 0, hits = 0;
  std::map<int, int> seen;
  for (std::int64_t i = order; i < train_end; ++i) {
    bool same = tokens[i] < alphabet;
    for (int j = 1; j <= order; ++j) same = same && tokens[i - j] == tokens[at - j];
    if (!same) continue;
    ++n;
    hits += tokens[i] == tokens[at];
    ++seen[tokens[i]];
  }
  const double weight = backoff * static_cast<double>(seen.size());
  return n == 0 ? lower : (hits + weight * lower) / (n + weight);
}

}  // namespace

TEST_CASE("Markov baselines equal their definition evaluated by brute force") {
  struct Case {
    std::uint64_t kinds;
    int alphabet, max_order;
    double backoff;
  };
  // 5 kinds over an alphabet of 4: the fifth is unknown, like N. 200 letters use the hash table.
  for (const Case c :
       {Case{5, 4, 4, 64}, Case{4, 4, 8, 1}, Case{200, 256, 3, 1}, Case{2, 2, 2, 3}}) {
    const std::int64_t count = 400, train_end = 300;
    const Tokens tokens = random_tokens(count, c.kinds, 7);
    const auto bits =
        hyena::markov_bits(tokens.data(), train_end, count, c.alphabet, c.max_order, c.backoff);
    REQUIRE(bits.size() == static_cast<std::size_t>(c.max_order + 1));
    for (int order = 0; order <= c.max_order; ++order) {
      double sum = 0;
      int predicted = 0;
      for (std::int64_t i = train_end; i < count; ++i) {
        if (tokens[i] >= c.alphabet) continue;
        sum -= std::log2(plain_probability(tokens, train_end, i, order, c.alphabet, c.backoff));
        ++predicted;
      }
      CAPTURE(c.kinds, c.alphabet, order);
      REQUIRE(bits[order] == Approx(sum / predicted).epsilon(1e-12));
    }
  }
}

TEST_CASE(
    "uniformly random bases cost two bits at every order; periodic ones nothing from order 1") {
  hyena::Draws draws(1, hyena::Purpose::window, 0);
  Tokens uniform(200'000), periodic(20'000);
  for (auto& t : uniform) t = static_cast<std::uint8_t>(draws.below(4));
  for (std::size_t i = 0; i < periodic.size(); ++i) periodic[i] = i % 4;
  for (const double bits : hyena::markov_bits(uniform.data(), 180'000, 200'000, 4, 6, 64)) {
    REQUIRE(bits == Approx(2).margin(0.02));
  }
  const auto bits = hyena::markov_bits(periodic.data(), 18'000, 20'000, 4, 3, 1);
  REQUIRE(bits[0] == Approx(2).margin(1e-3));
  REQUIRE(bits[1] < 1e-2);
}

TEST_CASE("Markov baselines have the same bits on any number of ranks and threads") {
  struct Case {
    std::uint64_t kinds;
    int alphabet, max_order;
  };
  for (const Case c : {Case{5, 4, 8}, Case{200, 256, 3}, Case{2, 2, 0}}) {
    const Tokens tokens = random_tokens(3000, c.kinds, 3);
    const auto bits = [&](int threads, const ProcessGroup& world) {
      const NumThreads here(threads);
      return hyena::markov_bits(tokens.data(), 2000, 3000, c.alphabet, c.max_order, 64, world);
    };
    const auto expected = bits(1, ProcessGroup());
    REQUIRE(bits(3, ProcessGroup()) == expected);
    for (const int ranks : {2, 3, 4}) {
      std::vector<std::decay_t<decltype(expected)>> counted(static_cast<std::size_t>(ranks));
      run_ranks(ranks, [&](const ProcessGroup& world) {
        counted[static_cast<std::size_t>(world.rank())] = bits(2, world);
      });
      for (const auto& result : counted) CHECK(result == expected);
    }
  }
}

TEST_CASE("Markov baselines refuse what they cannot count") {
  const Tokens tokens(10);
  REQUIRE_THROWS_AS(hyena::markov_bits(tokens.data(), 11, 10, 4, 2, 1), ArgumentError);
  REQUIRE_THROWS_AS(hyena::markov_bits(tokens.data(), 5, 10, 256, 7, 1), ArgumentError);
  REQUIRE_THROWS_AS(hyena::markov_bits(tokens.data(), 5, 10, 4, 2, 0), ArgumentError);
  // Nothing is predicted, which costs neither nothing nor anything else.
  for (const double bits : hyena::markov_bits(tokens.data(), 10, 10, 4, 1, 1)) {
    REQUIRE(std::isnan(bits));
  }
}
