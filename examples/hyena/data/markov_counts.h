// Contexts of every length up to one, and the tokens seen after them, counted in one pass: for
// markov.h.
#pragma once

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

#include "examples/hyena/data/count_table.h"

namespace crocuta::hyena::markov {

// What is counted, and how it is cut up. A context is a number whose most significant digit is the
// newest token, so that shifting digits out makes the shorter context, and contexts with the same
// newest tokens lie together. Those with the same `depth` newest ones are a part: parts have
// nothing in common, and the counts of one fit a cache.
struct Problem {
  const std::uint8_t* tokens;
  std::int64_t train_end, count;
  int alphabet, max_order;
  double backoff;
  int width;  // bits of a digit
  int depth;

  std::size_t parts() const { return std::size_t{1} << (width * depth); }
};

inline constexpr int kItemBits = 56;

// A token where it stands, as one number: how many tokens before it are known (at most max_order),
// those, and the token.
class Item {
 public:
  Item(const Problem& p, std::uint64_t number)
      : order_(static_cast<int>(number >> kItemBits)),
        digits_(number & ((std::uint64_t{1} << kItemBits) - 1)),
        width_(p.width),
        most_(p.max_order) {}

  int order() const { return order_; }
  std::uint8_t token() const {
    return static_cast<std::uint8_t>(digits_ & ((std::uint64_t{1} << width_) - 1));
  }
  // The newest `order` of the tokens before it.
  std::uint64_t context(int order) const { return digits_ >> (width_ * (1 + most_ - order)); }

 private:
  int order_;
  std::uint64_t digits_;
  int width_, most_;
};

// Calls f(item, part) for every known token in [from, to).
template <class F>
void for_each_item(const Problem& p, std::int64_t from, std::int64_t to, F&& f) {
  std::uint64_t known = 0, digits = 0;
  const auto most = static_cast<std::uint64_t>(p.max_order);
  const int newest = p.width * p.max_order, part = newest - p.width * p.depth;
  for (std::int64_t i = std::max<std::int64_t>(0, from - p.max_order); i < to; ++i) {
    const std::uint64_t token = p.tokens[i];
    if (token >= static_cast<std::uint64_t>(p.alphabet)) {
      known = digits = 0;
      continue;
    }
    if (i >= from) f(known << kItemBits | digits << p.width | token, digits >> part);
    known = std::min(known + 1, most);
    digits = (digits | token << newest) >> p.width;
  }
}

// Contexts of one order, and the tokens seen after them.
class OrderCounts {
 public:
  explicit OrderCounts(int width) : width_(width) {}

  // Starts anew, for contexts [begin, end), of about `expected` tokens.
  void reset(std::uint64_t begin, std::uint64_t end, std::uint64_t expected) {
    pairs_.reset(begin << width_, end << width_, expected);
    tallies_.reset(begin, end, expected);
  }
  void add(std::uint64_t context, std::uint8_t token, std::uint32_t times = 1) {
    pairs_[context << width_ | token] += times;
  }
  // After all additions: sums up, and adds everything to the counts of the order below, if given.
  void finish(OrderCounts* below) {
    if (!pairs_.array().empty()) {
      // Bases have a loop that is unrolled.
      return width_ == 2 ? finish_arrays<2>(2, below) : finish_arrays<0>(width_, below);
    }
    pairs_.for_each([&](std::uint64_t pair, std::uint32_t times) {
      const std::uint64_t context = pair >> width_;
      Tally& tally = tallies_[context];
      tally.times += times;
      ++tally.kinds;
      const std::uint64_t token = pair & ((std::uint64_t{1} << width_) - 1);
      if (below) below->add(context >> width_, static_cast<std::uint8_t>(token), times);
    });
  }
  // The probability of `token` after `context`, given that of the order below.
  double probability(std::uint64_t context, std::uint8_t token, double below,
                     double backoff) const {
    const Tally& tally = tallies_.at(context);
    if (tally.times == 0) return below;
    const double n = tally.times, t = backoff * tally.kinds;
    return (times(context, token) + t * below) / (n + t);
  }
  std::uint32_t times(std::uint64_t context, std::uint8_t token) const {
    return pairs_.at(context << width_ | token);
  }

 private:
  struct Tally {
    std::uint32_t times = 0, kinds = 0;
  };

  // The same, fast, where there are arrays: then those of tallies and lower orders are, too. kWidth
  // is the width, or 0.
  template <int kWidth>
  void finish_arrays(int width, OrderCounts* below) {
    const std::uint32_t* times = pairs_.array().data();
    const std::size_t tokens = std::size_t{1} << (kWidth > 0 ? kWidth : width);
    std::size_t context = 0;
    for (Tally& tally : tallies_.array()) {
      Tally sum;
      for (std::size_t token = 0; token < tokens; ++token) {
        sum.times += times[token];
        sum.kinds += times[token] != 0 ? 1 : 0;
      }
      tally = sum;
      if (below) {
        std::uint32_t* sums = &below->pairs_.array()[context >> width << width];
        for (std::size_t token = 0; token < tokens; ++token) sums[token] += times[token];
      }
      times += tokens;
      ++context;
    }
  }

  int width_;
  CountTable<std::uint32_t> pairs_;
  CountTable<Tally> tallies_;
};

// Counts of all orders: those below `depth` of all the data, the others of one part at a time.
class Counts {
 public:
  // Counts the orders below `depth`.
  explicit Counts(const Problem& problem);

  // Counts a part, whose training items these are.
  void count(std::size_t part, std::span<const std::uint64_t> items);
  // What the held-out items of that part cost under each order, in bits: costs[order].
  void predict(std::span<const std::uint64_t> items, double* costs);

 private:
  OrderCounts& order(int k) { return orders_[static_cast<std::size_t>(k)]; }
  // Adds the counts of each order to the one below, from the first to the last of them.
  void finish(int from, int down_to);

  const Problem p_;
  std::vector<OrderCounts> orders_;
  std::vector<double> probabilities_;
};

}  // namespace crocuta::hyena::markov
