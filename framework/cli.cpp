#include "framework/cli.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <iostream>
#include <span>

#include "framework/did_you_mean.h"
#include "framework/error.h"

namespace crocuta {

struct CommandLine::Impl {
  explicit Impl(const std::string& description, const std::string& program)
      : app(description, program) {}

  [[noreturn]] void reject_stray() const {
    const std::string word = app.remaining().front();
    std::vector<std::string> known;
    for (const CLI::Option* option : app.get_options()) known.push_back(option->get_name());
    const std::string name = word.substr(0, word.find('='));
    throw ArgumentError(str(word.starts_with("-") ? "unknown option '" : "stray argument '",
                            printable(word), "'", did_you_mean(name, known), "; see --help"));
  }

  // The name before "=", if that is one of an option's.
  const CLI::Option* find(std::string_view word) const {
    const std::string name(word.substr(0, word.find('=')));
    return name.starts_with("--") ? app.get_option_no_throw(name) : nullptr;
  }

  // CLI11 would take the next option for the value of one that lacks its own.
  void reject_missing_values(std::span<const char* const> words) const {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const std::string_view word = words[i];
      const CLI::Option* option = find(word);
      if (option == nullptr || option->get_expected_min() == 0) continue;
      const std::size_t equals = word.find('=');
      if (equals < word.size() - 1) continue;  // its value is in the same word
      const bool has_next = equals == std::string_view::npos && i + 1 < words.size();
      if (has_next && find(words[i + 1]) == nullptr) {
        ++i;  // its value, whatever that looks like
        continue;
      }
      throw ArgumentError(
          str(option->get_name(), ": expected ", option->get_type_name(), ", got ",
              has_next ? str("the option '", printable(words[i + 1]), "'") : std::string("nothing"),
              "; see --help"));
    }
  }

  CLI::App app;
  std::vector<std::function<void()>> conversions;
};

CommandLine::CommandLine(std::string program, std::string description, std::string footer)
    : impl_(std::make_unique<Impl>(description, program)) {
  CLI::App& app = impl_->app;
  app.footer(footer);
  app.set_version_flag("--version", program + " (Crocuta) " + CROCUTA_VERSION);
  app.allow_extras();  // collected, to be named by reject_stray()
}

CommandLine::~CommandLine() = default;

void CommandLine::option(const std::string& name, std::string& value, const std::string& type,
                         const std::string& help, Need need) {
  impl_->app.add_option(name, value, help)->type_name(type)->required(need == Need::required);
}

void CommandLine::option(const std::string& name, std::int64_t& value, const std::string& type,
                         const std::string& help, std::int64_t low, std::int64_t high) {
  // As text, since CLI11 takes octal and fractions, and wraps numbers around.
  const auto text = std::make_shared<std::string>();
  CLI::Option* option = impl_->app.add_option(name, *text, help)->type_name(type);
  impl_->conversions.push_back([=, &value] {
    if (option->count() > 0) value = parse_whole_number(name, *text, low, high);
  });
}

void CommandLine::option(const std::string& name, std::vector<std::string>& values,
                         const std::string& type, const std::string& help) {
  impl_->app.add_option(name, values, help)
      ->type_name(type)
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void CommandLine::list(const std::string& name, std::vector<std::string>& values,
                       const std::string& type, const std::string& help) {
  impl_->app.add_option(name, values, help)
      ->type_name(type)
      ->expected(1, CLI::detail::expected_max_vector_size)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void CommandLine::optional_value(const std::string& name, std::string& value,
                                 const std::string& type, const std::string& help) {
  impl_->app.add_option(name, value, help)->type_name(type)->expected(0, 1);
}

void CommandLine::flag(const std::string& name, bool& value, const std::string& help) {
  impl_->app.add_flag(name, value, help)->disable_flag_override();
}

void CommandLine::only_together(const std::string& a, const std::string& b) {
  impl_->app.get_option(a)->needs(impl_->app.get_option(b));
  impl_->app.get_option(b)->needs(impl_->app.get_option(a));
}

bool CommandLine::parse(int argc, const char* const* argv) {
  CLI::App& app = impl_->app;
  if (argc > 1) impl_->reject_missing_values({argv + 1, static_cast<std::size_t>(argc - 1)});
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& asked) {
    app.exit(asked);
    return false;
  } catch (const CLI::ParseError& error) {
    if (!app.remaining().empty()) impl_->reject_stray();
    throw ArgumentError(printable(error.what(), 1000) + "; see --help");
  }
  if (!app.remaining().empty()) impl_->reject_stray();
  for (const auto& convert : impl_->conversions) convert();
  return true;
}

bool CommandLine::given(const std::string& name) const {
  return impl_->app.get_option(name)->count() > 0;
}

std::int64_t parse_whole_number(std::string_view name, std::string_view text, std::int64_t low,
                                std::int64_t high) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (text.empty() || error != std::errc{} || stop != end || value < low || value > high) {
    throw ArgumentError(str(name, ": expected a whole number from ", low, " to ", high, ", got '",
                            printable(text), "'"));
  }
  return value;
}

}  // namespace crocuta
