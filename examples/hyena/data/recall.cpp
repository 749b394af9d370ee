#include "examples/hyena/data/recall.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "examples/hyena/data/draws.h"
#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

// A sequence drawn again (because it is taken) gets a stream of its own.
std::uint64_t stream_index(std::int64_t i, std::uint64_t attempt) {
  return attempt << 40 | static_cast<std::uint64_t>(i);
}

std::vector<std::int64_t> draw_sequence(const RecallOptions& options, Draws draws) {
  const auto keys = static_cast<std::uint64_t>((options.symbols - 2) / 2);
  std::vector<std::int64_t> value_of(keys);
  for (auto& value : value_of) value = static_cast<std::int64_t>(1 + keys + draws.below(keys));
  std::vector<std::int64_t> sequence;
  for (std::int64_t pair = 0; pair < options.context / 2; ++pair) {
    const std::uint64_t key = draws.below(keys);
    sequence.push_back(static_cast<std::int64_t>(1 + key));
    sequence.push_back(value_of[key]);
  }
  // Asking for the key of a random pair asks for one that occurred.
  const std::uint64_t pair = draws.below(static_cast<std::uint64_t>(options.context / 2));
  const std::int64_t key = sequence[2 * pair];
  sequence.push_back(options.symbols - 1);
  sequence.push_back(key);
  sequence.push_back(value_of[static_cast<std::size_t>(key - 1)]);
  return sequence;
}

std::uint64_t hash(const std::vector<std::int64_t>& sequence) {
  std::uint64_t h = 0xcbf29ce484222325u;
  for (const std::int64_t symbol : sequence) {
    h = (h ^ static_cast<std::uint64_t>(symbol)) * 0x100000001b3u;
  }
  return h;
}

}  // namespace

Recall::Recall(const RecallOptions& options) : options_(options) {
  const auto require = [](bool holds, const char* name, const char* expected, auto got) {
    if (!holds) fail<ArgumentError>("recall", name, expected, str(got));
  };
  require(options.symbols >= 6 && options.symbols % 2 == 0, "symbols", "an even number >= 6",
          options.symbols);
  require(options.context >= 2 && options.context % 2 == 0, "seq_len", "an even number >= 2",
          options.context);
  require(options.train_sequences >= 0, "train_sequences", "at least 0", options.train_sequences);
  require(options.test_sequences >= 1, "test_sequences", "at least 1", options.test_sequences);
  const double bits = static_cast<double>(options.context / 2 + 1) * std::log2(keys());
  require(bits >= 4 + std::log2(options.test_sequences), "test_sequences",
          "a sixteenth of the sequences that exist, or fewer", options.test_sequences);
  for (std::int64_t i = 0; i < options.test_sequences; ++i) {
    for (std::uint64_t attempt = 0;; ++attempt) {
      auto sequence = draw_sequence(
          options, Draws(options.seed, Purpose::recall_test, stream_index(i, attempt)));
      if (!test_hashes_.insert(hash(sequence)).second) continue;
      test_.push_back(std::move(sequence));
      break;
    }
  }
}

std::vector<std::int64_t> Recall::train(std::int64_t i) {
  const std::int64_t n = options_.train_sequences;
  if (n > 0) {
    if (i / n != epoch_) {
      epoch_ = i / n;
      order_.resize(static_cast<std::size_t>(n));
      std::iota(order_.begin(), order_.end(), 0);
      Draws draws(options_.seed, Purpose::recall_order, static_cast<std::uint64_t>(epoch_));
      for (std::size_t left = order_.size(); left > 1; --left) {
        std::swap(order_[left - 1], order_[draws.below(left)]);
      }
    }
    i = order_[static_cast<std::size_t>(i % n)];
  }
  for (std::uint64_t attempt = 0;; ++attempt) {
    auto sequence = draw_sequence(
        options_, Draws(options_.seed, Purpose::recall_train, stream_index(i, attempt)));
    if (!test_hashes_.contains(hash(sequence))) return sequence;
  }
}

std::string recall_name(std::int64_t symbol, std::int64_t symbols) {
  if (symbol == 0) return ".";
  if (symbol == symbols - 1) return "=>";
  const std::int64_t keys = (symbols - 2) / 2;
  const bool is_key = symbol <= keys;
  const std::int64_t number = is_key ? symbol - 1 : symbol - 1 - keys;
  if (number < 26) return std::string(1, static_cast<char>((is_key ? 'a' : 'A') + number));
  return str(is_key ? 'k' : 'V', number);
}

}  // namespace crocuta::hyena
