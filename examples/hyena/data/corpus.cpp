#include "examples/hyena/data/corpus.h"

#include <algorithm>

#include "examples/hyena/data/draws.h"
#include "examples/hyena/data/fasta.h"
#include "framework/error.h"

namespace crocuta::hyena {

Corpus read_fasta(const std::vector<std::string>& paths) {
  Corpus corpus;
  for (const std::string& path : paths) {
    FastaParser parser(path);
    corpus.sources.push_back(read_source(path, [&](std::string_view text) { parser.feed(text); }));
    parser.finish();
    if (corpus.tokens.empty()) {
      corpus.tokens = std::move(parser.tokens());
    } else {
      corpus.tokens.push_back(kUnknownBase);
      corpus.tokens.insert(corpus.tokens.end(), parser.tokens().begin(), parser.tokens().end());
    }
    corpus.warnings.insert(corpus.warnings.end(), parser.warnings().begin(),
                           parser.warnings().end());
  }
  return corpus;
}

Corpus read_bytes(const std::vector<std::string>& paths) {
  Corpus corpus;
  for (const std::string& path : paths) {
    const std::size_t before = corpus.tokens.size();
    const Source source = read_source(path, [&](std::string_view text) {
      corpus.tokens.insert(corpus.tokens.end(), text.begin(), text.end());
    });
    const auto same = std::find_if(
        corpus.sources.begin(), corpus.sources.end(),
        [&](const Source& s) { return s.device == source.device && s.inode == source.inode; });
    if (same == corpus.sources.end()) {
      corpus.sources.push_back(source);
    } else {
      corpus.tokens.resize(before);
      corpus.warnings.push_back(str("data: '", printable(path), "': is '", printable(same->path),
                                    "' once more; left out"));
    }
  }
  return corpus;
}

void hold_out(Corpus& corpus, double fraction, std::int64_t length) {
  if (!(fraction > 0 && fraction < 1)) {
    fail<ArgumentError>("data", "heldout", "a fraction between 0 and 1", str(fraction));
  }
  const auto held = std::max<std::int64_t>(
      1, static_cast<std::int64_t>(static_cast<double>(corpus.size()) * fraction));
  corpus.train_end = corpus.size() - held;
  if (corpus.train_end >= length + 1) return;
  throw FormatError(str("data: expected at least seq_len + 1 = ", length + 1,
                        " tokens to train on, got ", corpus.train_end, " (of ", corpus.size(), ", ",
                        held, " are held out); try a smaller seq_len"));
}

Window train_window(const Corpus& corpus, std::int64_t length, std::uint64_t seed, std::int64_t i) {
  Draws draws(seed, Purpose::window, static_cast<std::uint64_t>(i));
  const auto places = static_cast<std::uint64_t>(corpus.train_end - length);
  return {static_cast<std::int64_t>(draws.below(places)), length};
}

std::int64_t test_window_count(const Corpus& corpus, std::int64_t length) {
  return (corpus.size() - corpus.train_end + length - 1) / length;
}

Window test_window(const Corpus& corpus, std::int64_t length, std::int64_t i) {
  // The first target is the first held-out token, so the first input is the token before it.
  const std::int64_t begin = corpus.train_end - 1 + i * length;
  return {begin, std::min(length, corpus.size() - 1 - begin)};
}

}  // namespace crocuta::hyena
