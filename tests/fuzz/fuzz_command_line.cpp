// A command line, one argument per line, for a program with every kind of option.
#include <vector>

#include "framework/base/cli.h"
#include "tests/fuzz/target.h"

using namespace crocuta;
using namespace crocuta::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::vector<std::string> words = {"program"};
  for (const char c : text_of(data, size)) {
    if (c == '\0') return 0;  // no program is given one
    if (words.size() == 1 || c == '\n') words.emplace_back();
    if (c != '\n') words.back() += c;
    // --help prints; nothing else depends on the words that follow.
    if (words.back() == "--help" || words.back() == "--version" || words.back() == "-h") return 0;
  }
  std::vector<const char*> arguments;
  for (const std::string& word : words) arguments.push_back(word.c_str());

  std::string text = "kept", rest = "kept";
  std::int64_t number = 3;
  double real = 0.5;
  std::vector<std::string> values, list;
  bool flag = false;
  CommandLine cli("program", "A program.");
  cli.option("--text", text, "TEXT", "A text");
  cli.option("--number", number, "N", "A number", -5, 100);
  cli.option("--real", real, "X", "Any number", {.max = 2, .above = 0});
  cli.option("--value", values, "V", "Several values");
  cli.list("--list", list, "WORD", "A list");
  cli.optional_value("--maybe", rest, "X", "With or without a value");
  cli.flag("--flag", flag, "A flag");
  cli.only_together("--text", "--number");
  const std::string error =
      error_of([&] { cli.parse(static_cast<int>(arguments.size()), arguments.data()); });
  if (!error.empty()) return 0;

  require(number >= -5 && number <= 100, "a number is in its range");
  require(real > 0 && real <= 2, "and one with a fraction");
  require(cli.given("--text") || text == "kept", "an option that is not given keeps its value");
  require(cli.given("--text") == cli.given("--number"), "two options come together");
  require(cli.given("--flag") == flag, "a flag is set if it is given");
  require(cli.given("--value") != values.empty(), "values come with their option");
  return 0;
}
