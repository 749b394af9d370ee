#include <algorithm>
#include <cmath>

#include "examples/hyena/app/format.h"
#include "examples/hyena/data/corpus.h"
#include "examples/hyena/data/fasta.h"
#include "examples/hyena/data/markov.h"
#include "examples/hyena/tasks/tasks.h"
#include "framework/base/error.h"
#include "framework/base/log.h"

namespace crocuta::hyena {
namespace {

double bits(double nats) {
  return nats / std::log(2.0);
}

// What differs between genomes and text.
struct Kind {
  const char* unit;  // what a token is called
  int alphabet;      // tokens that can be predicted
  int max_order;     // of the Markov baselines
  double backoff;    // their strength: data/markov.h
};
constexpr Kind kDna{"base", 4, 12, 64}, kText{"byte", 256, 5, 1};

class CorpusTask : public Task {
 public:
  CorpusTask(const Options& options, const Kind& kind, Corpus corpus)
      : Task(make_codec(options.task, options.symbols, options.codec), options.seq_len),
        kind_(kind),
        seed_(static_cast<std::uint64_t>(options.seed)),
        corpus_(std::move(corpus)) {
    hold_out(corpus_, options.heldout, options.seq_len);
  }

  std::int64_t test_rows() const override { return test_window_count(corpus_); }

  void prepare(const ProcessGroup& world) override {
    markov_ = markov_bits(corpus_.tokens.data(), corpus_.train_end, corpus_.size(), kind_.alphabet,
                          kind_.max_order, kind_.backoff, world);
  }
  std::vector<std::string> introduce() const override {
    for (const std::string& warning : corpus_.warnings) log_warn(warning);
    std::vector<std::string> lines = {str(headline(), counted(corpus_.size(), kind_.unit), " from ",
                                          counted(std::ssize(corpus_.sources), "file"),
                                          ": training on the first ", count(corpus_.train_end),
                                          ", testing on the last ",
                                          count(corpus_.size() - corpus_.train_end), ".")};
    const std::int64_t unknown = corpus_.unknown(0, corpus_.size());
    if (unknown > 0) append_unknown(unknown, lines);
    lines.push_back(str("Bits per ", kind_.unit,
                        " on the latter by Markov models of the former (order: bits):"));
    append_table(lines);
    return lines;
  }

  std::string loss(double nats) const override {
    return str("loss ", fixed(bits(nats), 4), " bits per ", kind_.unit);
  }
  std::string report(const Evaluation& result) const override {
    return str("held-out ", fixed(bits(result.nats), 4), " bits per ", kind_.unit, baseline_note());
  }
  void report(const Evaluation& result, JsonLine& line) const override {
    line.add("bits", bits(result.nats)).add("accuracy", result.accuracy);
    if (!markov_.empty()) line.add("best_markov_bits", markov_[best_order()]);
  }
  std::vector<std::string> conclude(const Evaluation& result) const override {
    std::vector<std::string> lines = {
        str("Held-out cost: ", fixed(bits(result.nats), 4), " bits per ", kind_.unit, ", over all ",
            counted(result.scored, kind_.unit), " of the held-out region; the next ", kind_.unit,
            " guessed right: ", percent(result.accuracy), "."),
        str("Knowing nothing costs ", fixed(std::log2(kind_.alphabet), 0),
            " bits; Markov models (order: bits):")};
    append_table(lines);
    const double gain = markov_[best_order()] - bits(result.nats);
    lines.push_back(str("The model is ", fixed(std::abs(gain), 4), " bits ",
                        gain >= 0 ? "better" : "worse", " than the best of them, order ",
                        best_order(), "."));
    return lines;
  }

  std::uint64_t data_hash() const override { return corpus_.hash(); }
  std::vector<Fact> data_facts() const override {
    std::vector<Fact> facts;
    for (const Source& source : corpus_.sources) {
      const std::string contents =
          str(count(source.bytes), " bytes of fingerprint ", hexadecimal(source.hash));
      facts.push_back({str("data file ", facts.size() + 1), contents,
                       str(printable(source.path), " (", contents, ")")});
    }
    return facts;
  }
  std::vector<std::int64_t> held_out(std::int64_t count) const override {
    const auto begin = corpus_.tokens.begin() + corpus_.train_end;
    std::vector<std::int64_t> tokens(begin,
                                     begin + std::min(count, corpus_.size() - corpus_.train_end));
    for (std::int64_t& token : tokens) token += codec().predicted().first;
    return tokens;
  }
  void require_unchanged() override { hyena::require_unchanged(corpus_.sources); }

 private:
  std::string headline() const {
    return kind_.alphabet == 4 ? "Next-base prediction: " : "Next-byte prediction: ";
  }
  void append_unknown(std::int64_t unknown, std::vector<std::string>& lines) const {
    const std::int64_t held = corpus_.unknown(corpus_.train_end, corpus_.size());
    const auto places = static_cast<double>(corpus_.train_end - length());
    lines.push_back(str("Unknown (N), so read but never predicted: ", count(unknown), ", ",
                        count(held), " of them in the part for testing."));
    if (corpus_.train_place_count == corpus_.train_end - length()) return;
    lines.push_back(str("Of the training windows ",
                        percent(1 - static_cast<double>(corpus_.train_place_count) / places),
                        " hold nothing to predict and are not drawn."));
  }
  std::size_t best_order() const {
    return static_cast<std::size_t>(std::min_element(markov_.begin(), markov_.end()) -
                                    markov_.begin());
  }
  void append_table(std::vector<std::string>& lines) const {
    constexpr std::size_t kPerLine = 6;
    for (std::size_t order = 0; order < markov_.size(); ++order) {
      if (order % kPerLine == 0) lines.push_back("");
      const char* number = order < 10 ? "   " : "  ";
      lines.back() += str(number, order, ": ", fixed(markov_[order], 4));
    }
  }
  std::string baseline_note() const {
    if (markov_.empty()) return "";
    return str(" (order ", best_order(), ": ", fixed(markov_[best_order()], 4), ")");
  }

  void fill(const Window& window, std::int64_t* ids, std::int64_t* targets) const {
    const std::uint8_t* tokens = corpus_.tokens.data() + window.begin;
    const std::int64_t available = std::min(length(), corpus_.size() - window.begin);
    const std::int64_t first = codec().predicted().first;  // the number of the first token
    for (std::int64_t t = 0; t < available; ++t) ids[t] = first + tokens[t];
    for (std::int64_t t = 0; t < window.targets; ++t) {
      if (tokens[t + 1] < kind_.alphabet) targets[t] = first + tokens[t + 1];
    }
  }
  void train_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) override {
    fill(train_window(corpus_, seed_, i), ids, targets);
  }
  void test_row(std::int64_t i, std::int64_t* ids, std::int64_t* targets) const override {
    fill(test_window(corpus_, i), ids, targets);
  }

  Kind kind_;
  std::uint64_t seed_;
  Corpus corpus_;
  std::vector<double> markov_;
};

}  // namespace

std::unique_ptr<Task> make_corpus_task(const Options& options) {
  if (options.task == "dna") {
    return std::make_unique<CorpusTask>(options, kDna, read_fasta(options.data));
  }
  return std::make_unique<CorpusTask>(options, kText, read_bytes(options.data));
}

}  // namespace crocuta::hyena
