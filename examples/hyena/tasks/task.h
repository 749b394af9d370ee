// A task: what goes into the model, what should come out, and what to compare the result with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "distributed/agreement.h"
#include "examples/hyena/data/codec.h"
#include "examples/hyena/options.h"
#include "framework/io/jsonl.h"

namespace crocuta::hyena {

// Targets that do not count in the loss.
inline constexpr std::int64_t kIgnored = -1;

// Whole sequences with the next token as target, shifted before anything is split over ranks.
struct Batch {
  Batch(std::int64_t rows, std::int64_t length)
      : rows(rows),
        length(length),
        ids(static_cast<std::size_t>(rows * length)),
        targets(static_cast<std::size_t>(rows * length), kIgnored) {}

  std::int64_t rows, length;
  std::vector<std::int64_t> ids, targets;  // [rows, length]

  // The number of targets that count.
  std::int64_t scored() const;
  // Replaces row `row` by the only row of `source`.
  void set_row(std::int64_t row, const Batch& source);
  // Rows [begin, end) of positions [from, to).
  Batch part(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) const;
};

// What a model achieved on held-out data.
struct Evaluation {
  double nats = 0;  // mean loss of a scored target, natural logarithm
  double accuracy = 0;
  std::int64_t scored = 0;
};

class Task {
 public:
  virtual ~Task() = default;
  const Codec& codec() const { return *codec_; }
  std::int64_t length() const { return length_; }

  // Training sequences [first, first + rows): a pure function of the seed, so that `first` is the
  // whole data position. In each something is scored.
  Batch train_batch(std::int64_t first, std::int64_t rows);
  // Held-out sequences, of which each scores something, too. Rows beyond the last one do not.
  Batch test_batch(std::int64_t first, std::int64_t rows) const;
  virtual std::int64_t test_rows() const = 0;

  // Computes the baselines, which may take seconds; all ranks together.
  virtual void prepare(const ProcessGroup& world) = 0;
  // After prepare(): a few lines on the data, shown before training; warnings about it go to the
  // log.
  virtual std::vector<std::string> introduce() const = 0;
  // A training loss in the unit of the held-out results: "loss 0.7571", "loss 1.9212 bits per base"
  virtual std::string loss(double nats) const = 0;
  // "held-out accuracy 98.4 % (chance 25.0 %)"
  virtual std::string report(const Evaluation& result) const = 0;
  // The same for metrics.jsonl.
  virtual void report(const Evaluation& result, JsonLine& line) const = 0;
  // After prepare(): what the finished model has learned, beside the baselines: the lines of the
  // closing summary.
  virtual std::vector<std::string> conclude(const Evaluation& result) const = 0;
  // The first tokens of what is held out, at most `count`, if that is one long sequence.
  virtual std::vector<std::int64_t> held_out(std::int64_t count) const;
  // Tells runs on different data apart.
  virtual std::uint64_t data_hash() const { return 0; }
  // What was read, file by file, for ranks to compare.
  virtual std::vector<Fact> data_facts() const { return {}; }
  // Throws IoError or FormatError if a data file no longer holds what was read.
  virtual void require_unchanged() {}

 protected:
  Task(std::unique_ptr<Codec> codec, std::int64_t length)
      : codec_(std::move(codec)), length_(length) {}
  virtual void train_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) = 0;
  virtual void test_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) const = 0;

 private:
  std::unique_ptr<Codec> codec_;
  std::int64_t length_;
};

// Reads the data. Throws what the readers in data/ throw, and ArgumentError for options that do not
// fit the data.
std::unique_ptr<Task> make_task(const Options& options);

}  // namespace crocuta::hyena
