// train_hyena and generate_hyena as tests run them, on a model that is trained in no time.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

// A model of a few thousand parameters.
inline const Arguments kTiny = {"--set",    "symbols=6",         "--set",        "seq_len=14",
                                "--set",    "d_model=8",         "--set",        "filter_order=8",
                                "--set",    "test_sequences=16", "--batch-size", "4",
                                "--device", device_argument()};

inline ProgramResult train(Arguments arguments, bool tiny = true, As user = As::self) {
  arguments.insert(arguments.begin(), CROCUTA_TRAIN_HYENA);
  if (tiny) arguments.insert(arguments.end(), kTiny.begin(), kTiny.end());
  return run_program(arguments, user);
}
inline ProgramResult generate(Arguments arguments) {
  arguments.insert(arguments.begin(), CROCUTA_GENERATE_HYENA);
  return run_program(arguments);
}
// The same, by a shell: for signals and pipes. $TRAIN is the program with the tiny model, a word a
// line, since there may be blanks in its path; $TRAIN_HYENA and $GENERATE_HYENA are the programs alone.
inline ProgramResult shell(const std::string& script) {
  std::string command = CROCUTA_TRAIN_HYENA;
  for (const std::string& argument : kTiny) command += "\n" + argument;
  setenv("TRAIN", command.c_str(), 1);
  setenv("TRAIN_HYENA", CROCUTA_TRAIN_HYENA, 1);
  setenv("GENERATE_HYENA", CROCUTA_GENERATE_HYENA, 1);
  return run_program({"/bin/bash", "-c", "IFS=$'\\n'; " + script});
}

inline std::string slurp(const std::string& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}
inline void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// One line on stderr, nothing else, and this exit status.
inline void check_refusal(const ProgramResult& result, int status, const std::string& text) {
  CAPTURE(result.out, result.err);
  CHECK(result.status == status);
  CHECK_THAT(result.err, ContainsSubstring("_hyena: error: "));
  CHECK_THAT(result.err, ContainsSubstring(text));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace crocuta::test
