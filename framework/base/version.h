// Which Crocuta this is.
#pragma once

#include <string_view>

namespace crocuta {

// "0.1.0"
std::string_view version();

}  // namespace crocuta
