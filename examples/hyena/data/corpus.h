// A long stretch of tokens, its end held out, cut into training and test windows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/hyena/data/source.h"

namespace crocuta::hyena {

// Where a window begins, and how many of its targets are in the region.
struct Window {
  std::int64_t begin = 0;    // its inputs are tokens [begin, begin + length)
  std::int64_t targets = 0;  // token begin + 1 + t is the target of input t < targets
};

struct Corpus {
  std::vector<std::uint8_t> tokens;
  int alphabet = 256;  // tokens from here on are unknown: read, but never predicted
  std::vector<Source> sources;
  std::vector<std::string> warnings;

  // Made by hold_out().
  std::int64_t train_end = 0;  // tokens [train_end, size) are held out
  std::int64_t length = 0;     // of a window
  // Where training windows may begin, in stretches that follow one another, and where test windows
  // do. All have something to predict.
  struct Places {
    std::int64_t begin, before;  // the first place of a stretch, and how many come before it
  };
  std::vector<Places> train_places;
  std::int64_t train_place_count = 0;
  std::vector<std::int64_t> test_places;

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  std::uint64_t hash() const { return fingerprint(tokens.data(), tokens.size()); }
  // How many of tokens [begin, end) are unknown.
  std::int64_t unknown(std::int64_t begin, std::int64_t end) const;
};

// Both join files one after the other; FASTA with N between two. A file that is named again, also
// by another path or a link, is left out with a warning: it would stand on both sides of the split.
// For the same reason there is a warning where two files have the same contents, or genomes the
// same sequence. They throw as read_source and FastaParser do.
Corpus read_fasta(const std::vector<std::string>& paths);
Corpus read_bytes(const std::vector<std::string>& paths);

// Holds out the last `fraction` of the tokens, contiguously, for windows of `length` tokens. Throws
// ArgumentError unless fraction is in (0, 1), and FormatError if the training region is shorter
// than length + 1 tokens (with both numbers), or if one of the regions has nothing to predict.
void hold_out(Corpus& corpus, double fraction, std::int64_t length);

// Training window i: uniform over those in the training region that have something to predict, a
// pure function of (seed, i).
Window train_window(const Corpus& corpus, std::uint64_t seed, std::int64_t i);
// How many windows cover the held-out region, but for those with nothing to predict, and window i
// of them: together they score each held-out token exactly once.
std::int64_t test_window_count(const Corpus& corpus);
Window test_window(const Corpus& corpus, std::int64_t i);

}  // namespace crocuta::hyena
