#include "examples/hyena/data/markov.h"

#include <algorithm>
#include <bit>
#include <exception>
#include <memory>
#include <span>

#include "examples/hyena/app/together.h"
#include "examples/hyena/data/markov_counts.h"
#include "framework/base/error.h"
#include "kernels/cpu/parallel.h"

namespace crocuta::hyena {
namespace {

using namespace markov;

// Contexts with the same newest tokens, of this many bits in all, are a part.
constexpr int kPartBits = 8;
// Data of more tokens is sorted an eighth at a time.
constexpr std::int64_t kManyTokens = 1 << 27;

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
