// What the tokens of each task look like as text.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layers/hyena/lm.h"

namespace crocuta::hyena {

class Codec {
 public:
  virtual ~Codec() = default;
  virtual std::int64_t vocabulary() const = 0;
  // The tokens that are ever to be predicted: what fills up a sequence, or stands for something
  // unknown, is only read.
  virtual TokenRange predicted() const { return {0, vocabulary()}; }
  // Throws ArgumentError for text that has no tokens, naming what is wrong with it.
  virtual std::vector<std::int64_t> encode(std::string_view text) const = 0;
  virtual std::string decode(const std::vector<std::int64_t>& tokens) const = 0;
};

// - "recall": `symbols` symbols, separated by blanks: "a B c D => a"; "." is never predicted
// - "dna":    A C G T N, in either case; U reads as T; N is never predicted
// - "text":   bytes
// With `codec` "hyenadna" DNA has that model's numbers: A is 7, and the vocabulary 16. Throws
// ArgumentError for another task.
std::unique_ptr<Codec> make_codec(const std::string& task, std::int64_t symbols,
                                  const std::string& codec = "task");

}  // namespace crocuta::hyena
