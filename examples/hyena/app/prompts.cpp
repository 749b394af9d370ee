#include "examples/hyena/app/prompts.h"

#include <algorithm>

#include "framework/base/error.h"
#include "framework/base/file.h"

namespace crocuta::hyena {

Prompt read_prompt(const std::string& text, const Codec& codec) {
  Prompt prompt{text, codec.encode(text)};
  if (prompt.tokens.empty()) throw ArgumentError("prompt: expected at least one token, got none");
  return prompt;
}

std::vector<Prompt> read_prompts(const std::string& path, const Codec& codec) {
  constexpr std::size_t kMaxBytes = 16 << 20;
  const bool piped = path == "-";
  const std::string name = piped ? "standard input" : printable(path);
  const std::string all = piped ? read_standard_input(kMaxBytes) : read_file(path, kMaxBytes);
  std::vector<Prompt> prompts;
  for (std::size_t begin = 0; begin < all.size();) {
    const std::size_t end = std::min(all.find('\n', begin), all.size());
    std::string line = all.substr(begin, end - begin);
    if (line.ends_with('\r')) line.pop_back();
    try {
      prompts.push_back(read_prompt(line, codec));
    } catch (const ArgumentError& error) {
      throw FormatError(str(name, ": line ", prompts.size() + 1, ": ", error.what()));
    }
    begin = end + 1;
  }
  if (prompts.empty()) throw FormatError(name + ": expected prompts, one per line, got nothing");
  return prompts;
}

}  // namespace crocuta::hyena
