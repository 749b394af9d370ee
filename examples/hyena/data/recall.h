// Associative recall, the classic test of in-context memory: after a list of (key, value) pairs,
// say which value belongs to a key.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_set>
#include <vector>

namespace crocuta::hyena {

// `symbols` counts two special ones: "." (id 0), which fills, and "=>" (id symbols - 1), which
// asks. The others are half keys (1 ..), half values. A sequence draws a fresh map from keys to
// values, then pairs of a random key and its value, then "=>", a key that occurred, and its value:
//
//   a X  c Y  a X  b X  =>  c  Y
//
// Sequence i of a split is a pure function of (seed, split, i).
struct RecallOptions {
  std::int64_t symbols = 10;
  std::int64_t context = 64;  // symbols before "=>": twice the number of pairs
  std::uint64_t seed = 0;
  std::int64_t train_sequences = 0;  // how many different ones to train on; 0: always fresh ones
  std::int64_t test_sequences = 500;
};

// A symbol as text: keys a b c ... (k26 k27 ... beyond 26), values A B C ..., "." and "=>".
std::string recall_name(std::int64_t symbol, std::int64_t symbols);

class Recall {
 public:
  // Throws ArgumentError unless symbols is even and >= 6, context even and >= 2, seed below 2^62,
  // the numbers of sequences are not negative and test_sequences is at least 1, and the sequences
  // that exist are at least 16 times as many as the test set.
  explicit Recall(const RecallOptions& options);

  const RecallOptions& options() const { return options_; }
  std::int64_t keys() const { return (options_.symbols - 2) / 2; }
  std::int64_t values() const { return keys(); }
  std::int64_t length() const { return options_.context + 3; }

  // The i-th sequence of training: never one of the test set. With train_sequences > 0 they repeat,
  // in a new order every epoch.
  std::vector<std::int64_t> train(std::int64_t i);
  // The i-th sequence of the test set, i < test_sequences; all differ.
  const std::vector<std::int64_t>& test(std::int64_t i) const {
    return test_[static_cast<std::size_t>(i)];
  }

 private:
  RecallOptions options_;
  std::vector<std::vector<std::int64_t>> test_;
  std::unordered_set<std::uint64_t> test_hashes_;
  std::int64_t epoch_ = -1;
  std::vector<std::int64_t> order_;  // of the training sequences, in epoch_
};

}  // namespace crocuta::hyena
