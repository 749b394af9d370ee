// Layers out of a shared library, for programs that know no more of them than their names.
#pragma once

#include <string>

namespace crocuta {

// Loads the shared library at `path`, whose layers then are registered. It stays for the life of the
// program. In CMake crocuta_plugin(<name> <source>...) makes one: it brings nothing of Crocuta with
// it and finds all in the program that loads it, which has to be of the same version and linked with
// crocuta_offer_symbols(<program>). Throws ArgumentError, naming the path and the reason.
void load_plugin(const std::string& path);

}  // namespace crocuta
