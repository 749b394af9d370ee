// A program's command line: options --name value, read strictly.
//
//   CommandLine cli("train_hyena", "Trains a Hyena language model.");
//   std::string config = "recall.json";
//   cli.option("--config", config, "FILE", "Configuration file");
//   if (!cli.parse(argc, argv)) return 0;  // --help or --version was asked for and printed
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/base/config.h"

namespace crocuta {

class CommandLine {
 public:
  enum class Need { optional, required };

  // `footer` follows the options in --help.
  CommandLine(std::string program, std::string description, std::string footer = "");
  ~CommandLine();
  CommandLine(const CommandLine&) = delete;
  CommandLine& operator=(const CommandLine&) = delete;

  // An option whose value goes to `value`, which keeps its own otherwise; `type` stands for the
  // value in --help. `value` must outlive parse().
  void option(const std::string& name, std::string& value, const std::string& type,
              const std::string& help, Need need = Need::optional);
  // The same for a whole number from `low` to `high`.
  void option(const std::string& name, std::int64_t& value, const std::string& type,
              const std::string& help, std::int64_t low, std::int64_t high);
  // The same for any number in `range`.
  void option(const std::string& name, double& value, const std::string& type,
              const std::string& help, RealRange range);
  // One that may be given several times, with one value each.
  void option(const std::string& name, std::vector<std::string>& values, const std::string& type,
              const std::string& help);
  // One that takes all values up to the next option: --data A B C. May be given several times.
  void list(const std::string& name, std::vector<std::string>& values, const std::string& type,
            const std::string& help);
  // One whose value may be left out; `value` then becomes empty.
  void optional_value(const std::string& name, std::string& value, const std::string& type,
                      const std::string& help);
  // One without a value.
  void flag(const std::string& name, bool& value, const std::string& help);
  // If one of the two is given, the other has to be.
  void only_together(const std::string& a, const std::string& b);

  // Sets the values; false if --help or --version has been printed instead, lines broken where the
  // terminal ends. Throws OutputError (output.h) if it could not be, and ArgumentError for an
  // unknown option, suggesting the nearest, a stray word, a missing option or value, an option
  // given twice, and a number that is none or out of range.
  bool parse(int argc, const char* const* argv);
  // Whether parse() saw the option.
  bool given(const std::string& name) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The configuration that `value` of an option is: JSON itself if it begins with '{', white space
// apart, else the path of a file. Throws ArgumentError if it is not to be had.
Config config_argument(const std::string& value);

// `text` as a whole decimal number from `low` to `high`, as a number in `range`. Throw
// ArgumentError, beginning with `name`, for anything else.
std::int64_t parse_whole_number(std::string_view name, std::string_view text, std::int64_t low,
                                std::int64_t high);
double parse_number(std::string_view name, std::string_view text, RealRange range);

}  // namespace crocuta
