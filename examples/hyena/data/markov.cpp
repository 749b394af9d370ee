#include "examples/hyena/data/markov.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <exception>
#include <memory>
#include <span>

#include "examples/hyena/data/count_table.h"
#include "examples/hyena/together.h"
#include "framework/error.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::hyena {
namespace {

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

constexpr int kPartBits = 8, kItemBits = 56;
constexpr std::int64_t kManyTokens = 1 << 27;

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

// The sum of -log2(p), with one logarithm for hundreds of factors.
class Cost {
 public:
  void add(double p) {
    product_ *= p;
    if (product_ >= 0x1p-512) return;
    product_ *= 0x1p512;
    bits_ += 512;
  }
  double bits() const { return bits_ - std::log2(product_); }

 private:
  double product_ = 1, bits_ = 0;
};

// Items sorted into the parts of a range.
class Sorted {
 public:
  // Items of [from, to), of which there are at most sizes[part] in a part.
  Sorted(const Problem& p, std::int64_t from, std::int64_t to, std::size_t first, std::size_t last,
         const std::vector<std::uint64_t>& sizes)
      : first_(first), begins_(last - first), ends_(last - first) {
    std::uint64_t total = 0;
    for (std::size_t part = first; part < last; ++part) {
      begins_[part - first] = ends_[part - first] = total;
      total += sizes[part];
    }
    items_ = std::make_unique_for_overwrite<std::uint64_t[]>(total);
    for_each_item(p, from, to, [&](std::uint64_t item, std::uint64_t part) {
      const std::uint64_t slot = part - first_;
      if (slot < ends_.size()) items_[ends_[slot]++] = item;
    });
  }
  std::span<const std::uint64_t> of(std::size_t part) const {
    const std::size_t slot = part - first_;
    return {items_.get() + begins_[slot], items_.get() + ends_[slot]};
  }

 private:
  std::size_t first_;
  std::vector<std::uint64_t> begins_, ends_;
  std::unique_ptr<std::uint64_t[]> items_;
};

std::vector<std::uint64_t> part_sizes(const Problem& p, std::int64_t from, std::int64_t to) {
  std::vector<std::uint64_t> sizes(p.parts());
  for_each_item(p, from, to, [&](std::uint64_t, std::uint64_t part) { ++sizes[part]; });
  return sizes;
}

// Counts of all orders: those below `depth` of all the data, the others of one part at a time.
class Counts {
 public:
  explicit Counts(const Problem& p)
      : p_(p), orders_(static_cast<std::size_t>(p.max_order) + 1, OrderCounts(p.width)) {
    if (p.depth == 0) return;
    for (int k = 0; k < p.depth; ++k) order(k).reset(0, std::uint64_t{1} << (p.width * k), 1 << 20);
    const int most = p.depth - 1;
    OrderCounts& highest = order(most);
    for_each_item(p, 0, p.train_end, [&](std::uint64_t number, std::uint64_t) {
      const Item item(p_, number);
      const int k = item.order();
      if (k >= most) {
        highest.add(item.context(most), item.token());
      } else {
        order(k).add(item.context(k), item.token());
      }
    });
    finish(most, 0);
  }

  // Counts a part, whose training items these are.
  void count(std::size_t part, std::span<const std::uint64_t> items) {
    for (int k = p_.depth; k <= p_.max_order; ++k) {
      const int more = p_.width * (k - p_.depth);
      order(k).reset(std::uint64_t{part} << more, std::uint64_t{part + 1} << more, items.size());
    }
    OrderCounts& highest = order(p_.max_order);
    for (const std::uint64_t number : items) {
      const Item item(p_, number);
      const int k = item.order();
      if (k == p_.max_order) {
        highest.add(item.context(k), item.token());
      } else if (k >= p_.depth) {
        order(k).add(item.context(k), item.token());
      }
    }
    finish(p_.max_order, p_.depth);
  }

  // What the held-out items of that part cost under each order: costs[order].
  void predict(std::span<const std::uint64_t> items, double* costs) {
    probabilities_.assign(items.size(), 1.0 / p_.alphabet);
    for (int k = 0; k <= p_.max_order; ++k) {
      const OrderCounts& counts = order(k);
      Cost cost;
      for (std::size_t i = 0; i < items.size(); ++i) {
        const Item item(p_, items[i]);
        double p = probabilities_[i];
        if (item.order() >= k) {
          p = counts.probability(item.context(k), item.token(), p, p_.backoff);
          probabilities_[i] = p;
        }
        cost.add(p);
      }
      costs[k] = cost.bits();
    }
  }

 private:
  OrderCounts& order(int k) { return orders_[static_cast<std::size_t>(k)]; }
  void finish(int from, int down_to) {
    for (int k = from; k >= down_to; --k) order(k).finish(k > down_to ? &order(k - 1) : nullptr);
  }

  const Problem p_;
  std::vector<OrderCounts> orders_;
  std::vector<double> probabilities_;
};

// Where parts are cut so that each of `pieces` has about as many items: piece i is [cuts[i],
// cuts[i + 1]).
std::vector<std::size_t> cut(std::size_t begin, std::size_t end,
                             const std::vector<std::uint64_t>& sizes, std::int64_t pieces) {
  std::uint64_t left = 0;
  for (std::size_t part = begin; part < end; ++part) left += sizes[part];
  std::vector<std::size_t> cuts = {begin};
  for (std::int64_t piece = 0; piece + 1 < pieces; ++piece) {
    const std::uint64_t share = left / static_cast<std::uint64_t>(pieces - piece);
    std::uint64_t taken = 0;
    for (; begin < end && taken + sizes[begin] / 2 < share; ++begin) taken += sizes[begin];
    left -= taken;
    cuts.push_back(begin);
  }
  cuts.push_back(end);
  return cuts;
}

// The costs of all parts that are rank `rank`'s, [part][order]; zero elsewhere.
std::vector<double> count_share(const Problem& p, int rank, int ranks) {
  const std::vector<std::uint64_t> train_sizes = part_sizes(p, 0, p.train_end);
  const std::vector<std::uint64_t> test_sizes = part_sizes(p, p.train_end, p.count);
  const auto orders = static_cast<std::size_t>(p.max_order) + 1;
  std::vector<double> costs(p.parts() * orders);
  const auto mine = cut(0, p.parts(), train_sizes, ranks);
  const auto r = static_cast<std::size_t>(rank);
  // Some pieces per thread keep what is sorted at once to about an eighth of the data.
  const int threads = kernels::thread_count();
  const std::int64_t pieces = threads * std::int64_t{p.train_end > kManyTokens ? 8 : 1};
  const auto cuts = cut(mine[r], mine[r + 1], train_sizes, pieces);
  const Counts low(p);
  std::vector<std::exception_ptr> errors(static_cast<std::size_t>(pieces));
  kernels::parallel_for(pieces, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = static_cast<std::size_t>(begin); i < static_cast<std::size_t>(end); ++i) {
      try {
        Counts counts = low;
        const Sorted training(p, 0, p.train_end, cuts[i], cuts[i + 1], train_sizes);
        const Sorted held_out(p, p.train_end, p.count, cuts[i], cuts[i + 1], test_sizes);
        for (std::size_t part = cuts[i]; part < cuts[i + 1]; ++part) {
          counts.count(part, training.of(part));
          counts.predict(held_out.of(part), &costs[part * orders]);
        }
      } catch (...) {
        errors[i] = std::current_exception();
      }
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return costs;
}

}  // namespace

std::vector<double> markov_bits(const std::uint8_t* tokens, std::int64_t train_end,
                                std::int64_t count, int alphabet, int max_order, double backoff,
                                const ProcessGroup& world) {
  if (train_end < 0 || train_end > count) {
    fail<ArgumentError>("markov_bits", "train_end", str("0..", count), str(train_end));
  }
  const int width = std::bit_width(static_cast<unsigned>(std::clamp(alphabet, 2, 256)) - 1);
  if (alphabet < 1 || alphabet > 256 || max_order < 0 || (max_order + 1) * width > kItemBits) {
    fail<ArgumentError>("markov_bits", "max_order", "max_order + 1 tokens in 56 bits",
                        str(max_order, " with alphabet ", alphabet));
  }
  if (!(backoff > 0)) fail<ArgumentError>("markov_bits", "backoff", "above 0", str(backoff));
  const Problem problem{tokens,    train_end, count, alphabet,
                        max_order, backoff,   width, std::min(max_order, kPartBits / width)};
  std::vector<double> costs;
  together(world, [&] { costs = count_share(problem, world.rank(), world.size()); });
  // Each part is one rank's, and zero on the others: adding up rounds nothing.
  const auto size = static_cast<std::int64_t>(costs.size());
  costs = world.all_reduce(from_vector(costs, {size}, Device::cpu())).to_vector<double>();
  const auto predicted = std::count_if(tokens + train_end, tokens + count,
                                       [&](std::uint8_t token) { return token < alphabet; });
  std::vector<double> bits(static_cast<std::size_t>(max_order) + 1);
  for (std::size_t i = 0; i < costs.size(); ++i) bits[i % bits.size()] += costs[i];
  for (double& b : bits) b /= static_cast<double>(predicted);
  return bits;
}

}  // namespace crocuta::hyena
