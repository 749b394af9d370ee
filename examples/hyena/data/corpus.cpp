#include "examples/hyena/data/corpus.h"

#include <algorithm>
#include <optional>
#include <set>

#include "examples/hyena/app/format.h"
#include "examples/hyena/data/draws.h"
#include "examples/hyena/data/fasta.h"
#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

// One file as it was read.
struct Reading {
  Source source;
  std::vector<std::uint8_t> tokens;
  std::vector<FastaParser::Sequence> sequences;
  std::vector<std::string> warnings;
};

// Sequences from here on, in bases, are the same by no accident.
constexpr std::int64_t kTelling = 100;
constexpr const char* kLeak = "what is held out may be trained on";

Reading read_fasta_file(const std::string& path) {
  FastaParser parser(path);
  Reading reading;
  reading.source = read_source(path, [&](std::string_view text) { parser.feed(text); });
  parser.finish();
  reading.tokens = std::move(parser.tokens());
  reading.sequences = parser.sequences();
  reading.warnings = parser.warnings();
  return reading;
}

Reading read_text_file(const std::string& path) {
  Reading reading;
  reading.source = read_source(path, [&](std::string_view text) {
    reading.tokens.insert(reading.tokens.end(), text.begin(), text.end());
  });
  return reading;
}

// Appends what was read to the corpus, unless it is there already.
class Joiner {
 public:
  Joiner(Corpus& corpus, std::optional<std::uint8_t> between)
      : corpus_(corpus), between_(between) {}

  void add(Reading reading) {
    const Source& source = reading.source;
    const std::string name = str("data: '", printable(source.path), "': ");
    std::vector<std::string>& warnings = corpus_.warnings;
    for (const Source& s : corpus_.sources) {
      if (s.device != source.device || s.inode != source.inode) continue;
      warnings.push_back(str(name, "is '", printable(s.path), "' once more; left out"));
      return;
    }
    // Of tokens: the same genome may be wrapped at another column.
    const std::uint64_t hash = fingerprint(reading.tokens.data(), reading.tokens.size());
    const std::string repeated = repeated_sequences(reading);
    const auto same = std::find(hashes_.begin(), hashes_.end(), hash);
    if (same != hashes_.end()) {
      const Source& other = corpus_.sources[static_cast<std::size_t>(same - hashes_.begin())];
      warnings.push_back(str(name, "has the contents of '", printable(other.path),
                             "'; both are taken, so ", kLeak));
    } else if (!repeated.empty()) {
      warnings.push_back(name + repeated);
    }
    hashes_.push_back(hash);
    corpus_.sources.push_back(source);
    warnings.insert(warnings.end(), reading.warnings.begin(), reading.warnings.end());
    append(std::move(reading.tokens));
  }

 private:
  // What to say of sequences that have been seen before, in this file or another; "" if none has.
  std::string repeated_sequences(const Reading& reading) {
    std::int64_t repeated = 0, bases = 0, line = 0;
    for (const auto& [header, begin, end, name] : reading.sequences) {
      const std::int64_t size = end - begin;
      const std::uint64_t hash =
          fingerprint(reading.tokens.data() + begin, static_cast<std::size_t>(size));
      if (size < kTelling || sequences_.insert(hash).second) continue;
      if (repeated++ == 0) line = header;
      bases += size;
    }
    if (repeated == 0) return "";
    return str(counted(repeated, "sequence"), " (", counted(bases, "base"),
               ") given before, the first in line ", line, "; all are taken, so ", kLeak);
  }

  void append(std::vector<std::uint8_t> tokens) {
    if (corpus_.tokens.empty()) {
      corpus_.tokens = std::move(tokens);
      return;
    }
    if (between_) corpus_.tokens.push_back(*between_);
    corpus_.tokens.insert(corpus_.tokens.end(), tokens.begin(), tokens.end());
  }

  Corpus& corpus_;
  const std::optional<std::uint8_t> between_;
  std::vector<std::uint64_t> hashes_;  // of the sources' tokens
  std::set<std::uint64_t> sequences_;  // hashes of all sequences so far
};

// Finds where training windows may begin: a known token is the target of the `length` windows that
// begin before it.
void find_train_places(Corpus& corpus) {
  const std::int64_t places = corpus.train_end - corpus.length;
  std::int64_t end = 0;  // of the stretch so far
  for (std::int64_t at = 1; at < corpus.train_end; ++at) {
    if (corpus.tokens[static_cast<std::size_t>(at)] >= corpus.alphabet) continue;
    const std::int64_t from = std::max(end, at - corpus.length), to = std::min(places, at);
    if (from >= to) continue;
    if (from > end || corpus.train_places.empty()) {
      corpus.train_places.push_back({from, corpus.train_place_count});
    }
    corpus.train_place_count += to - from;
    end = to;
  }
}

void find_test_places(Corpus& corpus) {
  // The first target is the first held-out token, so the first input is the token before it.
  for (std::int64_t at = corpus.train_end - 1; at + 1 < corpus.size(); at += corpus.length) {
    const std::int64_t end = std::min(at + 1 + corpus.length, corpus.size());
    if (corpus.unknown(at + 1, end) < end - (at + 1)) corpus.test_places.push_back(at);
  }
}

}  // namespace

std::int64_t Corpus::unknown(std::int64_t begin, std::int64_t end) const {
  return std::count_if(tokens.begin() + begin, tokens.begin() + end,
                       [&](std::uint8_t token) { return token >= alphabet; });
}

Corpus read_fasta(const std::vector<std::string>& paths) {
  Corpus corpus;
  corpus.alphabet = kUnknownBase;
  Joiner joiner(corpus, kUnknownBase);
  for (const std::string& path : paths) joiner.add(read_fasta_file(path));
  return corpus;
}

Corpus read_bytes(const std::vector<std::string>& paths) {
  Corpus corpus;
  Joiner joiner(corpus, std::nullopt);
  for (const std::string& path : paths) joiner.add(read_text_file(path));
  return corpus;
}

void hold_out(Corpus& corpus, double fraction, std::int64_t length) {
  if (!(fraction > 0 && fraction < 1)) {
    fail<ArgumentError>("data", "heldout", "a fraction between 0 and 1", str(fraction));
  }
  const auto held = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(corpus.size()) * fraction));
  const std::int64_t train_end = corpus.size() - held;
  if (train_end < length + 1) {
    throw FormatError(str("data: expected at least seq_len + 1 = ", length + 1,
                          " tokens to train on, got ", train_end, " (of ", corpus.size(), ", ",
                          held, " are held out); try a smaller seq_len"));
  }
  corpus.train_end = train_end;
  corpus.length = length;
  corpus.train_places.clear();
  corpus.train_place_count = 0;
  corpus.test_places.clear();
  find_train_places(corpus);
  find_test_places(corpus);
  const auto nothing = [&](const char* which, std::int64_t tokens, const char* hint) {
    throw FormatError(str("data: nothing to predict in the part that is ", which, ": all its ",
                          tokens, " tokens (of ", corpus.size(), ") are unknown, like N; ", hint));
  };
  if (corpus.train_place_count == 0) nothing("trained on", train_end, "try other files");
  if (corpus.test_places.empty()) nothing("held out", held, "try a larger heldout");
}

Window train_window(const Corpus& corpus, std::uint64_t seed, std::int64_t i) {
  Draws draws(seed, Purpose::window, static_cast<std::uint64_t>(i));
  const auto place =
      static_cast<std::int64_t>(draws.below(static_cast<std::uint64_t>(corpus.train_place_count)));
  const auto next = std::upper_bound(
      corpus.train_places.begin(), corpus.train_places.end(), place,
      [](std::int64_t value, const Corpus::Places& places) { return value < places.before; });
  const Corpus::Places& stretch = *(next - 1);
  return {stretch.begin + (place - stretch.before), corpus.length};
}

std::int64_t test_window_count(const Corpus& corpus) {
  return static_cast<std::int64_t>(corpus.test_places.size());
}

Window test_window(const Corpus& corpus, std::int64_t i) {
  const std::int64_t begin = corpus.test_places[static_cast<std::size_t>(i)];
  return {begin, std::min(corpus.length, corpus.size() - 1 - begin)};
}

}  // namespace crocuta::hyena
