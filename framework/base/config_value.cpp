#include "framework/base/config_value.h"

#include <algorithm>
#include <charconv>

#include "framework/base/error.h"
#include "framework/base/json.h"

namespace crocuta {
namespace {

using Kind = ConfigValue::Kind;

class TreeBuilder final : public json::Handler {
 public:
  explicit TreeBuilder(const std::string& source) : source_(source) {}
  ConfigValue take() { return std::move(root_); }

  void null() override { add(Kind::null); }
  void boolean(bool value) override { add(Kind::boolean).flag = value; }
  void number(std::string_view text) override { add(Kind::number).text = text; }
  void string(std::string text) override { add(Kind::string).text = std::move(text); }
  void key(std::string text) override { key_ = std::move(text); }
  void begin_object() override { open_.push_back(&add(Kind::object)); }
  void end_object() override { open_.pop_back(); }
  void begin_array() override { open_.push_back(&add(Kind::list)); }
  void end_array() override { open_.pop_back(); }

 private:
  // Pointers in open_ stay valid: only the innermost open value grows.
  ConfigValue& add(Kind kind) {
    ConfigValue* value = &root_;
    if (!open_.empty() && open_.back()->kind == Kind::object) {
      value = &open_.back()->members.emplace_back().value;
      open_.back()->members.back().key = std::move(key_);
    } else if (!open_.empty()) {
      value = &open_.back()->items.emplace_back();
    }
    value->kind = kind;
    value->where = str(source_, ": line ", line());
    return *value;
  }

  const std::string& source_;
  ConfigValue root_;
  std::vector<ConfigValue*> open_;
  std::string key_;
};

// Equal numbers as equal text: 1.0, 1e0 and 1 are all "1".
std::string canonical_number(const std::string& text) {
  if (text == "-0") return "0";
  if (text.find_first_of(".eE") == std::string::npos) return text;
  double value = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end.ec != std::errc()) return text;
  return json::number(value == 0 ? 0.0 : value);
}

std::vector<const ConfigValue::Member*> sorted_members(const ConfigValue& value) {
  std::vector<const ConfigValue::Member*> members;
  for (const auto& member : value.members) {
    if (member.value.kind != Kind::null) members.push_back(&member);
  }
  std::sort(members.begin(), members.end(),
            [](const auto* a, const auto* b) { return a->key < b->key; });
  return members;
}

}  // namespace

const ConfigValue* ConfigValue::find(std::string_view key) const {
  for (const Member& member : members) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

ConfigValue& ConfigValue::member(std::string_view key) {
  for (Member& member : members) {
    if (member.key == key) return member.value;
  }
  members.emplace_back().key = key;
  return members.back().value;
}

ConfigValue parse_config_value(std::string_view text, const std::string& source, int max_depth) {
  TreeBuilder builder(source);
  json::parse(text, source, max_depth, builder);
  return builder.take();
}

std::string to_json(const ConfigValue& value, int indent) {
  const std::string margin(static_cast<std::size_t>(indent) + 2, ' ');
  const std::string last_margin(static_cast<std::size_t>(indent), ' ');
  std::string out;
  switch (value.kind) {
    case Kind::null:
      return "null";
    case Kind::boolean:
      return value.flag ? "true" : "false";
    case Kind::number:
      return canonical_number(value.text);
    case Kind::string:
      return json::quote(value.text);
    case Kind::list:
      for (const ConfigValue& item : value.items) {
        out += (out.empty() ? "" : ", ") + to_json(item, indent);
      }
      return "[" + out + "]";
    case Kind::object:
      break;
  }
  for (const auto* member : sorted_members(value)) {
    out += (out.empty() ? "\n" : ",\n") + margin + json::quote(member->key) + ": " +
           to_json(member->value, indent + 2);
  }
  return out.empty() ? "{}" : "{" + out + "\n" + last_margin + "}";
}

void flatten(const ConfigValue& value, const std::string& path,
             std::map<std::string, std::string>& out) {
  const auto members = sorted_members(value);
  if (value.kind != Kind::object || (members.empty() && !path.empty())) {
    out[path] = to_json(value);
    return;
  }
  for (const auto* member : members) {
    flatten(member->value, path.empty() ? member->key : path + "." + member->key, out);
  }
}

}  // namespace crocuta
