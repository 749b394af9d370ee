// Configuration: a JSON object read through getters that accept nothing by accident.
//
//   const Config config = Config::load("dna.json");
//   const std::int64_t d_model = config.get_int("d_model", {.min = 1});             // required
//   const double lr = config.get_real("learning_rate", 1e-3, {.max = 10, .above = 0});
//   config.finish();  // an error if the file holds a key that nobody asked for
//
// null is a value for get_optional_int alone. Getters throw ArgumentError such as
// "dna.json: line 3: 'model.d_model': expected an integer of at least 1, got -5".
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace crocuta {

struct ConfigValue;

struct IntRange {
  std::int64_t min = std::numeric_limits<std::int64_t>::min();
  std::int64_t max = std::numeric_limits<std::int64_t>::max();

  bool holds(std::int64_t number) const { return number >= min && number <= max; }
  // "an integer from 1 to 10"
  std::string description() const;
};
// Closed bounds `min` and `max`, open bounds `above` and `below`.
struct RealRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  double above = -std::numeric_limits<double>::infinity();
  double below = std::numeric_limits<double>::infinity();

  bool holds(double number) const;
  // "a number above 0 and of at most 10"
  std::string description() const;
};

class Config {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;
  static constexpr int kMaxDepth = 32;

  // An empty object.
  Config();
  // Reads a JSON object. `source` names the text in errors. Throws FormatError (json.h) for text
  // that is not strict JSON or larger than kMaxBytes.
  static Config parse(std::string_view text, const std::string& source = "configuration");
  // Reads a regular file. Throws IoError if it cannot be read, and what parse() throws.
  static Config load(const std::string& path);

  // True if the key is there.
  bool has(std::string_view key) const;
  // All keys of this object, sorted.
  std::vector<std::string> keys() const;

  // Without a fallback the key is required. Integers must be written without fraction or exponent.
  std::int64_t get_int(std::string_view key, IntRange range = {}) const;
  std::int64_t get_int(std::string_view key, std::int64_t fallback, IntRange range = {}) const;
  // Nothing for a key that is absent or null.
  std::optional<std::int64_t> get_optional_int(std::string_view key, IntRange range = {}) const;
  double get_real(std::string_view key, RealRange range = {}) const;
  double get_real(std::string_view key, double fallback, RealRange range = {}) const;
  bool get_bool(std::string_view key) const;
  bool get_bool(std::string_view key, bool fallback) const;
  std::string get_string(std::string_view key) const;
  std::string get_string(std::string_view key, std::string_view fallback) const;
  // A string that must be one of `choices`.
  std::string get_choice(std::string_view key, std::string_view fallback,
                         const std::vector<std::string>& choices) const;
  std::vector<std::int64_t> get_ints(std::string_view key,
                                     const std::vector<std::int64_t>& fallback,
                                     IntRange range = {}) const;
  std::vector<std::string> get_strings(std::string_view key,
                                       const std::vector<std::string>& fallback) const;
  // The object under `key`, empty if absent. It keeps its own list of keys asked for: call its
  // finish() too.
  Config get_object(std::string_view key) const;

  // Throws ArgumentError naming the first key that no getter of this handle (nor of those it was
  // copied from) asked for, with the nearest that one did ask for.
  void finish() const;
  // The same, given the keys that are allowed.
  void allow_only(const std::vector<std::string>& known) const;
  // Throws ArgumentError for this key's value, for checks that getters cannot make:
  // config.reject("l_max", "a multiple of 4").
  [[noreturn]] void reject(std::string_view key, std::string_view expected) const;

  // Sets the value under a dotted path, making objects on the way. `text` is read as JSON if it is
  // that, as a number if it is one (.5, +1), else as a string. Throws ArgumentError if the path
  // leads through something else. `where` is what errors about this value begin with, "--set
  // key=text" if it is empty.
  void set(std::string_view dotted_key, std::string_view text, std::string_view where);
  void set(std::string_view dotted_key, std::string_view text) { set(dotted_key, text, ""); }
  // The same from "key=value", as given to --set.
  void set(std::string_view assignment);
  // Takes over every value of `other`; objects are merged key by key.
  void merge(const Config& other);

  // As JSON, with sorted keys and without nulls: equal configurations give equal text.
  std::string dump() const;
  // SHA-256 of dump(), in hexadecimal.
  std::string fingerprint() const;
  bool operator==(const Config& other) const { return dump() == other.dump(); }

  struct Difference {
    std::string key;   // dotted
    std::string ours;  // JSON, or "" if absent
    std::string theirs;
  };
  std::vector<Difference> differences(const Config& other) const;

 private:
  Config(std::shared_ptr<const ConfigValue> root, std::string source, std::string prefix);
  const ConfigValue* find(std::string_view key) const;
  const ConfigValue& require(std::string_view key) const;
  std::string path(std::string_view key) const;
  [[noreturn]] void reject(std::string_view key, const ConfigValue& value,
                           std::string_view expected) const;
  std::int64_t to_int(std::string_view key, const ConfigValue& value, IntRange range) const;
  double to_real(std::string_view key, const ConfigValue& value, RealRange range) const;
  bool to_bool(std::string_view key, const ConfigValue& value) const;
  std::string to_text(std::string_view key, const ConfigValue& value) const;

  std::shared_ptr<const ConfigValue> root_;
  std::string source_;
  std::string prefix_;  // "" or "model."
  mutable std::set<std::string, std::less<>> asked_;
};

}  // namespace crocuta
