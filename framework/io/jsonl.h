// Metrics as JSON lines: one object per line, written at once, readable while training runs.
#pragma once

#include <concepts>
#include <cstdint>
#include <string>
#include <string_view>

#include "framework/base/file.h"

namespace crocuta {

// One object, built key by key: JsonLine().add("step", 3).add("loss", 1.25).
class JsonLine {
 public:
  // Keys must be new and UTF-8. A number reads back as exactly the same double; NaN and infinities
  // become null.
  JsonLine& add(std::string_view key, double value);
  JsonLine& add(std::string_view key, std::string_view value);
  JsonLine& add(std::string_view key, const char* value) {
    return add(key, std::string_view(value));
  }
  template <std::integral T>
  JsonLine& add(std::string_view key, T value) {
    if constexpr (std::same_as<T, bool>) {
      return add_text(key, value ? "true" : "false");
    } else {
      return add_text(key, std::to_string(value));
    }
  }
  // The object, without a newline.
  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonLine& add_text(std::string_view key, const std::string& value);

  std::string members_;
};

// Appends lines to a file. A line cut short by a kill is removed first.
class JsonlWriter {
 public:
  explicit JsonlWriter(const std::string& path);
  // One write call per line, so readers see whole lines. Throws IoError.
  void write(const JsonLine& line);

 private:
  File file_;
};

}  // namespace crocuta
