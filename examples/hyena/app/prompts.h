// What generate_hyena is to continue.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "examples/hyena/data/codec.h"

namespace crocuta::hyena {

struct Prompt {
  std::string text;
  std::vector<std::int64_t> tokens;  // at least one
};

// Throws ArgumentError for text that has no tokens.
Prompt read_prompt(const std::string& text, const Codec& codec);

// The lines of a file, "-" being standard input; a line may end with CR LF. Throws IoError for a
// file that cannot be read, FormatError for one of more than 16 MiB, without a line, or with a line
// that has no tokens, which is named by its number.
std::vector<Prompt> read_prompts(const std::string& path, const Codec& codec);

}  // namespace crocuta::hyena
