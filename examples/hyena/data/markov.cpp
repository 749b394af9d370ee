#include "examples/hyena/data/markov.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>

#include "framework/error.h"

namespace crocuta::hyena {
namespace {

// How often each key in [0, universe) occurred: an array where that takes a few times the memory of
// the data, else a hash table with linear probing.
class Counts {
 public:
  Counts(std::uint64_t universe, std::uint64_t additions) {
    if (universe <= 16 * additions + 1024) {
      counts_.resize(universe);
    } else {
      const std::uint64_t slots = std::bit_ceil(2 * additions + 2);
      shift_ = 64 - std::countr_zero(slots);
      keys_.resize(slots);
      counts_.resize(slots);
    }
  }

  // Adds one occurrence and returns how many there were before.
  std::uint32_t add(std::uint64_t key) {
    const std::uint64_t slot = find(key);
    if (!keys_.empty()) keys_[slot] = key + 1;
    return counts_[slot]++;
  }
  std::uint32_t operator[](std::uint64_t key) const { return counts_[find(key)]; }

 private:
  std::uint64_t find(std::uint64_t key) const {
    if (keys_.empty()) return key;
    std::uint64_t slot = (key * 0x9e3779b97f4a7c15u) >> shift_;
    while (keys_[slot] != 0 && keys_[slot] != key + 1) slot = (slot + 1) & (keys_.size() - 1);
    return slot;
  }

  int shift_ = 0;
  std::vector<std::uint64_t> keys_;  // key + 1; 0 where a slot is free
  std::vector<std::uint32_t> counts_;
};

// The last `order` tokens as a number, while it slides over the data.
class Context {
 public:
  Context(int alphabet, int order)
      : alphabet_(static_cast<std::uint64_t>(alphabet)), order_(order) {
    for (int i = 0; i < order; ++i) size_ *= alphabet_;
  }
  std::uint64_t size() const { return size_; }  // how many contexts there are
  bool complete() const { return known_ >= order_; }
  std::uint64_t key() const { return key_; }
  void push(std::uint8_t token) {
    if (token >= alphabet_) {
      known_ = 0;
      key_ = 0;
      return;
    }
    ++known_;
    key_ = (key_ * alphabet_ + token) % size_;
  }

 private:
  std::uint64_t alphabet_, size_ = 1, key_ = 0;
  std::int64_t order_, known_ = 0;
};

}  // namespace

std::vector<double> markov_bits(const std::uint8_t* tokens, std::int64_t train_end,
                                std::int64_t count, int alphabet, int max_order, double backoff) {
  if (train_end < 0 || train_end > count) {
    fail<ArgumentError>("markov_bits", "train_end", str("0..", count), str(train_end));
  }
  if (alphabet < 1 || alphabet > 256 || max_order < 0 ||
      (max_order + 1) * std::log2(alphabet) >= 63) {
    fail<ArgumentError>("markov_bits", "max_order", "alphabet^(max_order + 1) below 2^63",
                        str(max_order, " with alphabet ", alphabet));
  }
  if (!(backoff > 0)) fail<ArgumentError>("markov_bits", "backoff", "above 0", str(backoff));
  // One order at a time, so that only one order's counts are in memory.
  std::vector<double> probability(static_cast<std::size_t>(count - train_end), 1.0 / alphabet);
  std::vector<double> bits;
  for (int order = 0; order <= max_order; ++order) {
    Context context(alphabet, order);
    const auto additions = static_cast<std::uint64_t>(train_end);
    const auto symbols = static_cast<std::uint64_t>(alphabet);
    Counts pairs(context.size() * symbols, additions), totals(context.size(), additions);
    Counts kinds(context.size(), additions);
    for (std::int64_t i = 0; i < train_end; ++i) {
      if (context.complete() && tokens[i] < alphabet) {
        totals.add(context.key());
        if (pairs.add(context.key() * symbols + tokens[i]) == 0) kinds.add(context.key());
      }
      context.push(tokens[i]);
    }
    double sum = 0;
    std::int64_t predicted = 0;
    for (std::int64_t i = train_end; i < count; ++i) {
      if (tokens[i] < alphabet) {
        double& p = probability[static_cast<std::size_t>(i - train_end)];
        if (context.complete()) {
          const double n = totals[context.key()], t = backoff * kinds[context.key()];
          if (n > 0) p = (pairs[context.key() * symbols + tokens[i]] + t * p) / (n + t);
        }
        sum -= std::log2(p);
        ++predicted;
      }
      context.push(tokens[i]);
    }
    bits.push_back(predicted > 0 ? sum / static_cast<double>(predicted) : 0.0);
  }
  return bits;
}

}  // namespace crocuta::hyena
