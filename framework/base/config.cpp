#include "framework/base/config.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "framework/base/config_value.h"
#include "framework/base/did_you_mean.h"
#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/base/json.h"
#include "framework/base/sha256.h"
#include "framework/base/utf8.h"

namespace crocuta {
namespace {

using Kind = ConfigValue::Kind;

// The value as an error message shows it.
std::string show(const ConfigValue& value) {
  switch (value.kind) {
    case Kind::list:
      return "a list";
    case Kind::object:
      return "an object";
    case Kind::string:
      return "\"" + printable(value.text) + "\"";
    case Kind::number:
      return printable(value.text);
    case Kind::null:
      return "null";
    case Kind::boolean:
      break;
  }
  return value.flag ? "true" : "false";
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "'" : ", '") + word + "'";
  return text;
}

// What a value on the command line means: JSON, a number that JSON would write differently, or else
// a string.
ConfigValue bare_value(std::string_view text, const std::string& where, int max_depth) {
  for (const std::string& json : {std::string(text), json::decimal(text)}) {
    try {
      return parse_config_value(json, where, max_depth);
    } catch (const FormatError&) {
      // Then it is something else.
    }
  }
  if (!is_utf8(text)) throw FormatError(str(where, ": expected a value in UTF-8"));
  ConfigValue value;
  value.kind = Kind::string;
  value.text = text;
  return value;
}

}  // namespace

std::string IntRange::description() const {
  const IntRange all;
  if (min != all.min && max != all.max) return str("an integer from ", min, " to ", max);
  if (min != all.min) return str("an integer of at least ", min);
  if (max != all.max) return str("an integer of at most ", max);
  return "an integer";
}

bool RealRange::holds(double number) const {
  return number >= min && number <= max && (number > above || above == RealRange().above) &&
         (number < below || below == RealRange().below);
}

std::string RealRange::description() const {
  const RealRange all;
  std::string text;
  const auto add = [&](double bound, double none, const char* words) {
    if (bound != none) text += (text.empty() ? " " : " and ") + (words + json::number(bound));
  };
  add(above, all.above, "above ");
  add(min, all.min, "of at least ");
  add(below, all.below, "below ");
  add(max, all.max, "of at most ");
  return "a number" + text;
}

Config::Config() : Config(nullptr, "configuration", "") {}

Config::Config(std::shared_ptr<const ConfigValue> root, std::string source, std::string prefix)
    : root_(std::move(root)), source_(std::move(source)), prefix_(std::move(prefix)) {
  if (root_) return;
  auto empty = std::make_shared<ConfigValue>();
  empty->kind = Kind::object;
  empty->where = source_;
  root_ = std::move(empty);
}

Config Config::parse(std::string_view text, const std::string& source) {
  const std::string name = printable(source);
  if (text.size() > kMaxBytes) {
    throw FormatError(
        str(name, ": expected at most ", kMaxBytes, " bytes, got ", text.size(), " bytes"));
  }
  auto root = std::make_shared<ConfigValue>(parse_config_value(text, name, kMaxDepth));
  if (root->kind != Kind::object) {
    throw FormatError(str(name, ": expected a JSON object, got ", show(*root)));
  }
  return {std::move(root), name, ""};
}

Config Config::load(const std::string& path) {
  return parse(read_file(path, kMaxBytes), path);
}

const ConfigValue* Config::find(std::string_view key) const {
  asked_.emplace(key);
  return root_->find(key);
}

const ConfigValue& Config::require(std::string_view key) const {
  if (const ConfigValue* value = find(key)) return *value;
  fail<ArgumentError>(source_, path(key), "a value, the key being required", "nothing");
}

std::string Config::path(std::string_view key) const {
  return printable(prefix_ + std::string(key));
}

void Config::reject(std::string_view key, const ConfigValue& value,
                    std::string_view expected) const {
  fail<ArgumentError>(value.where, path(key), expected, show(value));
}

void Config::reject(std::string_view key, std::string_view expected) const {
  if (const ConfigValue* value = find(key)) reject(key, *value, expected);
  fail<ArgumentError>(source_, path(key), expected, "nothing");
}

bool Config::has(std::string_view key) const {
  return find(key) != nullptr;
}

std::vector<std::string> Config::keys() const {
  std::vector<std::string> keys;
  for (const auto& member : root_->members) keys.push_back(member.key);
  std::sort(keys.begin(), keys.end());
  return keys;
}

std::int64_t Config::to_int(std::string_view key, const ConfigValue& value, IntRange range) const {
  if (value.kind != Kind::number) reject(key, value, range.description());
  if (value.text.find_first_of(".eE") != std::string::npos) {
    reject(key, value, "an integer without fraction or exponent");
  }
  std::int64_t number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto result = std::from_chars(value.text.data(), end, number);
  if (result.ec != std::errc()) reject(key, value, "an integer that fits 64 bits");
  if (number < range.min || number > range.max) reject(key, value, range.description());
  return number;
}

double Config::to_real(std::string_view key, const ConfigValue& value, RealRange range) const {
  if (value.kind != Kind::number) reject(key, value, range.description());
  double number = 0;
  const char* end = value.text.data() + value.text.size();
  const auto result = std::from_chars(value.text.data(), end, number);
  if (result.ec != std::errc()) reject(key, value, "a number within the range of a double");
  if (!range.holds(number)) reject(key, value, range.description());
  return number;
}

bool Config::to_bool(std::string_view key, const ConfigValue& value) const {
  if (value.kind != Kind::boolean) reject(key, value, "true or false");
  return value.flag;
}

std::string Config::to_text(std::string_view key, const ConfigValue& value) const {
  if (value.kind != Kind::string) reject(key, value, "a string");
  if (value.text.find('\0') != value.text.npos) reject(key, value, "a string without NUL");
  return value.text;
}

std::int64_t Config::get_int(std::string_view key, IntRange range) const {
  return to_int(key, require(key), range);
}
std::int64_t Config::get_int(std::string_view key, std::int64_t fallback, IntRange range) const {
  const ConfigValue* value = find(key);
  return value ? to_int(key, *value, range) : fallback;
}
std::optional<std::int64_t> Config::get_optional_int(std::string_view key, IntRange range) const {
  const ConfigValue* value = find(key);
  if (value == nullptr || value->kind == Kind::null) return std::nullopt;
  return to_int(key, *value, range);
}
double Config::get_real(std::string_view key, RealRange range) const {
  return to_real(key, require(key), range);
}
double Config::get_real(std::string_view key, double fallback, RealRange range) const {
  const ConfigValue* value = find(key);
  return value ? to_real(key, *value, range) : fallback;
}
bool Config::get_bool(std::string_view key) const {
  return to_bool(key, require(key));
}
bool Config::get_bool(std::string_view key, bool fallback) const {
  const ConfigValue* value = find(key);
  return value ? to_bool(key, *value) : fallback;
}
std::string Config::get_string(std::string_view key) const {
  return to_text(key, require(key));
}
std::string Config::get_string(std::string_view key, std::string_view fallback) const {
  const ConfigValue* value = find(key);
  return value ? to_text(key, *value) : std::string(fallback);
}

std::string Config::get_choice(std::string_view key, std::string_view fallback,
                               const std::vector<std::string>& choices) const {
  const std::string word = get_string(key, fallback);
  if (std::find(choices.begin(), choices.end(), word) != choices.end()) return word;
  reject(key, str("one of ", join(choices), did_you_mean(word, choices)));
}

std::vector<std::int64_t> Config::get_ints(std::string_view key,
                                           const std::vector<std::int64_t>& fallback,
                                           IntRange range) const {
  const ConfigValue* value = find(key);
  if (!value) return fallback;
  if (value->kind != Kind::list) reject(key, *value, "a list of integers");
  std::vector<std::int64_t> numbers;
  for (const ConfigValue& item : value->items) {
    numbers.push_back(to_int(str(key, "[", numbers.size(), "]"), item, range));
  }
  return numbers;
}

std::vector<std::string> Config::get_strings(std::string_view key,
                                             const std::vector<std::string>& fallback) const {
  const ConfigValue* value = find(key);
  if (!value) return fallback;
  if (value->kind != Kind::list) reject(key, *value, "a list of strings");
  std::vector<std::string> words;
  for (const ConfigValue& item : value->items) {
    words.push_back(to_text(str(key, "[", words.size(), "]"), item));
  }
  return words;
}

Config Config::get_object(std::string_view key) const {
  const ConfigValue* value = find(key);
  if (value && value->kind != Kind::object) reject(key, *value, "an object");
  // The part shares ownership of the whole tree.
  return {value ? std::shared_ptr<const ConfigValue>(root_, value) : nullptr, source_,
          prefix_ + std::string(key) + "."};
}

void Config::finish() const {
  allow_only({asked_.begin(), asked_.end()});
}

void Config::allow_only(const std::vector<std::string>& known) const {
  for (const auto& [key, value] : root_->members) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string suggestion = did_you_mean(key, known);
    throw ArgumentError(str(value.where, ": unknown key '", path(key), "'",
                            suggestion.empty() ? str("; known keys: ", join(known)) : suggestion));
  }
}

void Config::set(std::string_view dotted_key, std::string_view text, std::string_view named) {
  const std::string where =
      named.empty() ? "--set " + printable(str(dotted_key, "=", text), 100) : std::string(named);
  auto root = std::make_shared<ConfigValue>(*root_);
  ConfigValue* at = root.get();
  int depth = 0;
  for (std::size_t begin = 0; begin <= dotted_key.size(); ++depth) {
    const std::size_t end = std::min(dotted_key.find('.', begin), dotted_key.size());
    const std::string_view key = dotted_key.substr(begin, end - begin);
    if (key.empty() || !is_utf8(key) || depth >= kMaxDepth) {
      fail<ArgumentError>("--set", "key", "names joined by dots",
                          str("'", printable(dotted_key), "'"));
    }
    if (at->kind == Kind::null) at->kind = Kind::object;
    if (at->kind != Kind::object) {
      fail<ArgumentError>(where, printable(dotted_key.substr(0, begin - 1)), "an object",
                          show(*at));
    }
    at = &at->member(key);
    begin = end + 1;
  }
  *at = bare_value(text, where, kMaxDepth - depth);
  at->where = where;
  root_ = std::move(root);
}

void Config::set(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos) {
    fail<ArgumentError>("--set", "assignment", "key=value", str("'", printable(assignment), "'"));
  }
  set(assignment.substr(0, equals), assignment.substr(equals + 1));
}

void Config::merge(const Config& other) {
  const auto merge_into = [](auto&& self, ConfigValue& ours, const ConfigValue& theirs) -> void {
    if (ours.kind != Kind::object || theirs.kind != Kind::object) {
      ours = theirs;
      return;
    }
    for (const auto& [key, value] : theirs.members) self(self, ours.member(key), value);
  };
  auto root = std::make_shared<ConfigValue>(*root_);
  merge_into(merge_into, *root, *other.root_);
  root_ = std::move(root);
}

std::string Config::dump() const {
  return to_json(*root_) + "\n";
}

std::string Config::fingerprint() const {
  return sha256_hex(dump());
}

std::vector<Config::Difference> Config::differences(const Config& other) const {
  std::map<std::string, std::string> ours, theirs;
  flatten(*root_, "", ours);
  flatten(*other.root_, "", theirs);
  std::map<std::string, Difference> all;
  for (const auto& [key, text] : ours) all[key] = {key, text, ""};
  for (const auto& [key, text] : theirs) {
    all[key].key = key;
    all[key].theirs = text;
  }
  std::vector<Difference> out;
  for (const auto& [key, difference] : all) {
    if (difference.ours != difference.theirs) out.push_back(difference);
  }
  return out;
}

}  // namespace crocuta
