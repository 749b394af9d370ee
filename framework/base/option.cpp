#include "framework/base/option.h"

#include "framework/base/error.h"
#include "framework/base/json.h"

namespace crocuta {

void read_option(const Config& config, const char* key, std::int64_t& value, IntRange range) {
  const bool has_default = range.holds(value);
  value = has_default ? config.get_int(key, value, range) : config.get_int(key, range);
}

void read_option(const Config& config, const char* key, std::int64_t& value, IntOrNull range) {
  value = config.get_optional_int(key, range).value_or(value);
}

void read_option(const Config& config, const char* key, double& value, RealRange range) {
  const bool has_default = range.holds(value);
  value = has_default ? config.get_real(key, value, range) : config.get_real(key, range);
}

void read_option(const Config& config, const char* key, std::string& value,
                 const Choices& choices) {
  value = config.get_choice(key, value, choices.texts);
}

void read_option(const Config& config, const char* key, std::string& value, Anything) {
  value = config.get_string(key, value);
}

void read_option(const Config& config, const char* key, bool& value, Anything) {
  value = config.get_bool(key, value);
}

void read_option(const Config& config, const char* key, std::vector<std::string>& value, Anything) {
  value = config.get_strings(key, value);
}

void require_option(const char* layer, const char* key, std::int64_t value, IntRange range) {
  if (!range.holds(value)) fail<ArgumentError>(layer, key, range.description(), str(value));
}

void require_option(const char* layer, const char* key, double value, RealRange range) {
  if (!range.holds(value)) fail<ArgumentError>(layer, key, range.description(), str(value));
}

std::string option_json(std::int64_t value) {
  return std::to_string(value);
}

std::string option_json(double value) {
  return json::number(value);
}

std::string option_json(bool value) {
  return value ? "true" : "false";
}

std::string option_json(const std::string& value) {
  return json::quote(value);
}

std::string option_json(const std::vector<std::string>& values) {
  std::string text;
  for (const std::string& value : values) text += str(text.empty() ? "" : ", ", json::quote(value));
  return "[" + text + "]";
}

std::string option_help(std::string_view key, std::string_view json, std::string_view help) {
  // Nobody has to type the quotes of a word.
  const bool word = json.size() > 2 && json.front() == '"' && json.back() == '"';
  std::string line = str("  ", key, " ", word ? json.substr(1, json.size() - 2) : json);
  constexpr std::size_t kColumn = 28;
  line += std::string(line.size() + 2 > kColumn ? 2 : kColumn - line.size(), ' ');
  return line + std::string(help) + "\n";
}

}  // namespace crocuta
