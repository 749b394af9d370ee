// Suggestions for misspelt names.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace crocuta {

// The candidate that `word` most likely meant: the one fewest edits away (a letter inserted,
// deleted, replaced, or swapped with its neighbour; case does not count), or "" if none is near.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// " (did you mean 'learning_rate'?)", or "" if no candidate is near.
std::string did_you_mean(std::string_view word, const std::vector<std::string>& candidates);

}  // namespace crocuta
