// Runs a program on a terminal of its own, as a user sits before one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "tests/support/run_program.h"

namespace crocuta::test {

// What the user types on seeing `shown`, all that the program has written so far; "": nothing.
using Typing = std::function<std::string(const std::string& shown)>;

// Runs `arguments` on a terminal with so many columns until it ends. Its standard output and errors
// come together in `out`, with CR LF for ends of lines.
ProgramResult run_on_terminal(const std::vector<std::string>& arguments, int columns,
                              const Typing& typing = {});

}  // namespace crocuta::test
