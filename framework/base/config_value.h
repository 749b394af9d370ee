// The tree behind Config (internal).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace crocuta {

struct ConfigValue {
  enum class Kind { null, boolean, number, string, list, object };
  struct Member;

  const ConfigValue* find(std::string_view key) const;
  // The member of that name, made if there is none.
  ConfigValue& member(std::string_view key);

  Kind kind = Kind::null;
  bool flag = false;
  std::string text;  // a string's characters; a number as written
  std::vector<ConfigValue> items;
  std::vector<Member> members;
  std::string where;  // "dna.json: line 3"
};
struct ConfigValue::Member {
  std::string key;
  ConfigValue value;
};

// Any JSON value. Throws FormatError (json.h).
ConfigValue parse_config_value(std::string_view text, const std::string& source, int max_depth);

// As JSON with sorted keys, one per line, without members that are null.
std::string to_json(const ConfigValue& value, int indent = 0);

// Dotted path → JSON of every leaf, without nulls.
void flatten(const ConfigValue& value, const std::string& path,
             std::map<std::string, std::string>& out);

}  // namespace crocuta
