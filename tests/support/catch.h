// Catch2, version 2 (Debian 12) or 3 (Ubuntu 24.04), under one name.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
using Catch::Approx;
using Catch::Matchers::ContainsSubstring;
#else
#include <catch2/catch.hpp>
inline auto ContainsSubstring(const std::string& text) {
  return Catch::Matchers::Contains(text);
}
#endif

#include <string>

namespace crocuta::test {
// Notes that the running test case is skipped; use SKIP_TEST.
void note_skip(const std::string& reason);
}  // namespace crocuta::test

// Ends the test case as skipped; the reason is printed and counted at the end of the program.
#define SKIP_TEST(reason)             \
  do {                                \
    crocuta::test::note_skip(reason); \
    return;                           \
  } while (false)
