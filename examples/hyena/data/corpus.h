// A long stretch of tokens, its end held out, cut into training and test windows.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/hyena/data/source.h"

namespace crocuta::hyena {

// Where a window begins, and how many of its targets are scored.
struct Window {
  std::int64_t begin = 0;    // its inputs are tokens [begin, begin + length)
  std::int64_t targets = 0;  // token begin + 1 + t is the target of input t < targets
};

struct Corpus {
  std::vector<std::uint8_t> tokens;
  std::int64_t train_end = 0;  // tokens [train_end, size) are held out
  std::vector<Source> sources;
  std::vector<std::string> warnings;

  std::int64_t size() const { return static_cast<std::int64_t>(tokens.size()); }
  std::uint64_t hash() const { return fingerprint(tokens.data(), tokens.size()); }
};

// The FASTA files, one after the other, N between two. Throws as read_source and FastaParser do.
Corpus read_fasta(const std::vector<std::string>& paths);
// The files' bytes, one after the other. A file that is named again, also by a link, is left out
// with a warning: its text would stand on both sides of the split.
Corpus read_bytes(const std::vector<std::string>& paths);

// Holds out the last `fraction` of the tokens, contiguously. Throws ArgumentError unless fraction
// is in (0, 1), and FormatError (with both numbers) if the training region is shorter than length +
// 1 tokens.
void hold_out(Corpus& corpus, double fraction, std::int64_t length);

// Training window i: uniform over the training region, a pure function of (seed, i).
Window train_window(const Corpus& corpus, std::int64_t length, std::uint64_t seed, std::int64_t i);
// How many windows cover the held-out region, and window i of them: together they score each
// held-out token exactly once.
std::int64_t test_window_count(const Corpus& corpus, std::int64_t length);
Window test_window(const Corpus& corpus, std::int64_t length, std::int64_t i);

}  // namespace crocuta::hyena
