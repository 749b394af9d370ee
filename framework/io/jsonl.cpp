#include "framework/io/jsonl.h"

#include <algorithm>
#include <array>

#include "framework/base/json.h"

namespace crocuta {

JsonLine& JsonLine::add(std::string_view key, double value) {
  return add_text(key, json::number(value));
}

JsonLine& JsonLine::add(std::string_view key, std::string_view value) {
  return add_text(key, json::quote(value));
}

JsonLine& JsonLine::add_text(std::string_view key, const std::string& value) {
  members_ += (members_.empty() ? "" : ", ") + json::quote(key) + ": " + value;
  return *this;
}

JsonlWriter::JsonlWriter(const std::string& path) : file_(File::open_append(path)) {
  // Search backwards for the newline that ends the last whole line.
  std::array<char, 4096> chunk;
  std::uint64_t end = file_.size();
  const std::uint64_t size = end;
  while (end > 0) {
    const std::size_t bytes = static_cast<std::size_t>(std::min<std::uint64_t>(end, chunk.size()));
    file_.read_at(end - bytes, chunk.data(), bytes);
    const std::size_t newline = std::string_view(chunk.data(), bytes).rfind('\n');
    end -= bytes;
    if (newline != std::string_view::npos) {
      end += newline + 1;
      break;
    }
  }
  if (end != size) file_.truncate(end);
}

void JsonlWriter::write(const JsonLine& line) {
  file_.write(line.text() + "\n");
}

}  // namespace crocuta
