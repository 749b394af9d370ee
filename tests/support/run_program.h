// Runs a program as a user would, and says what became of it.
#pragma once

#include <string>
#include <vector>

namespace crocuta::test {

struct ProgramResult {
  int status = 0;  // the exit status, or 128 + n after signal n
  std::string out, err;
};

// Whom a program runs as: this process's user, or where that is root, somebody without its powers,
// for whom permissions mean something.
enum class As { self, nobody };

// Runs `arguments[0]` with the rest as arguments, without a shell, and waits for its end.
ProgramResult run_program(const std::vector<std::string>& arguments, As user = As::self);

// What programs get for --device, so that they compute where the tests do: CROCUTA_TEST_DEVICE, or
// the CPU.
std::string device_argument();

}  // namespace crocuta::test
