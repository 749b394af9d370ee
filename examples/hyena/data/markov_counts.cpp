#include "examples/hyena/data/markov_counts.h"

#include <cmath>

namespace crocuta::hyena::markov {
namespace {

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

}  // namespace

Counts::Counts(const Problem& p)
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

void Counts::count(std::size_t part, std::span<const std::uint64_t> items) {
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

void Counts::predict(std::span<const std::uint64_t> items, double* costs) {
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

void Counts::finish(int from, int down_to) {
  for (int k = from; k >= down_to; --k) order(k).finish(k > down_to ? &order(k - 1) : nullptr);
}

}  // namespace crocuta::hyena::markov
