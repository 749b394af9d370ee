#include "framework/base/cli.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <functional>
#include <span>

#include "framework/base/did_you_mean.h"
#include "framework/base/error.h"
#include "framework/base/json.h"
#include "framework/base/output.h"
#include "framework/base/version.h"

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

  // An option whose value reaches `value` through `read(text)`, once all is parsed.
  template <class T, class Read>
  void convert(const std::string& name, T& value, const std::string& type, const std::string& help,
               Read read) {
    // As text, since CLI11 takes octal and fractions, and wraps numbers around.
    const auto text = std::make_shared<std::string>();
    CLI::Option* option = app.add_option(name, *text, help)->type_name(type);
    conversions.push_back([=, &value] {
      if (option->count() > 0) value = read(*text);
    });
  }

  CLI::App app;
  std::vector<std::function<void()>> conversions;
};

CommandLine::CommandLine(std::string program, std::string description, std::string footer)
    : impl_(std::make_unique<Impl>(description, program)) {
  CLI::App& app = impl_->app;
  app.footer(footer);
  app.set_version_flag("--version", str(program, " (Crocuta) ", version()));
  app.allow_extras();  // collected, to be named by reject_stray()
}

CommandLine::~CommandLine() = default;

void CommandLine::option(const std::string& name, std::string& value, const std::string& type,
                         const std::string& help, Need need) {
  impl_->app.add_option(name, value, help)->type_name(type)->required(need == Need::required);
}

void CommandLine::option(const std::string& name, std::int64_t& value, const std::string& type,
                         const std::string& help, std::int64_t low, std::int64_t high) {
  impl_->convert(name, value, type, help, [=](const std::string& text) {
    return parse_whole_number(name, text, low, high);
  });
}

void CommandLine::option(const std::string& name, double& value, const std::string& type,
                         const std::string& help, RealRange range) {
  impl_->convert(name, value, type, help,
                 [=](const std::string& text) { return parse_number(name, text, range); });
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
  } catch (const CLI::CallForVersion& version) {
    print(std::string(version.what()) + "\n");
    return false;
  } catch (const CLI::Success&) {
    print(wrapped(app.help(), output_columns()));
    return false;
  } catch (const CLI::ParseError& error) {
    if (!app.remaining().empty()) impl_->reject_stray();
    std::string what = error.what();
    const std::size_t twice = what.find(": At Most 1 required but received ");
    if (twice != what.npos) what.replace(twice, what.npos, ": expected once, got it again");
    throw ArgumentError(printable(what, 1000) + "; see --help");
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
  const std::string digits = json::decimal(text);
  const char* end = digits.data() + digits.size();
  const auto [stop, error] = std::from_chars(digits.data(), end, value);
  if (digits.empty() || error != std::errc{} || stop != end || value < low || value > high) {
    throw ArgumentError(str(name, ": expected a whole number from ", low, " to ", high, ", got '",
                            printable(text), "'"));
  }
  return value;
}

double parse_number(std::string_view name, std::string_view text, RealRange range) {
  double value = 0;
  const std::string digits = json::decimal(text);
  const auto result = std::from_chars(digits.data(), digits.data() + digits.size(), value);
  if (digits.empty() || result.ec != std::errc{} || !range.holds(value)) {
    throw ArgumentError(
        str(name, ": expected ", range.description(), ", got '", printable(text), "'"));
  }
  return value;
}

Config config_argument(const std::string& value) {
  const std::size_t first = value.find_first_not_of(" \t\r\n");
  const bool is_json = first != value.npos && value[first] == '{';
  try {
    return is_json ? Config::parse(value, "--config") : Config::load(value);
  } catch (const Error& error) {  // a file that is absent or damaged: the call is wrong
    throw ArgumentError(error.what());
  }
}

}  // namespace crocuta
