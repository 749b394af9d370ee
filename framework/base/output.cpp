#include "framework/base/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <system_error>

namespace crocuta {
namespace {

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
}

// Bytes of the first `columns` characters of `line`.
std::size_t bytes_of(std::string_view line, std::size_t columns) {
  std::size_t at = 0;
  for (std::size_t taken = 0; at < line.size(); ++at) {
    if (starts_character(line[at]) && taken++ == columns) break;
  }
  return at;
}

// Where what follows a break in this line starts.
std::size_t indentation(std::string_view line) {
  const std::size_t first = std::min(line.find_first_not_of(' '), line.size());
  const std::size_t gap = line.find("  ", first);
  if (first == 0 || gap == line.npos) return first;
  return std::min(line.find_first_not_of(' ', gap), line.size());
}

}  // namespace

int try_print(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = ::write(STDOUT_FILENO, text.data(), text.size());
    if (done == -1 && errno == EINTR) continue;
    if (done == -1) return errno;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

std::string output_failure(int code) {
  return "standard output: cannot write: " + std::generic_category().message(code);
}

void print(std::string_view text) {
  if (const int code = try_print(text)) throw OutputError(output_failure(code));
}

int output_columns() {
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  return known ? size.ws_col : 80;
}

std::string wrapped(std::string_view text, int columns) {
  const auto width = static_cast<std::size_t>(columns);
  std::string out;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    std::string line(text.substr(begin, end - begin));
    const std::size_t indent = std::min(indentation(line), width / 2);
    // A break before this would gain nothing.
    std::size_t least = std::min(line.find_first_not_of(' '), line.size());
    while (bytes_of(line, width) < line.size()) {
      std::size_t blank = line.rfind(' ', bytes_of(line, width));
      if (blank == line.npos || blank <= least) blank = line.find(' ', least + 1);
      if (blank == line.npos) break;
      const std::size_t rest = line.find_first_not_of(' ', blank);
      if (rest == line.npos) break;
      out += line.substr(0, line.find_last_not_of(' ', blank) + 1) + "\n";
      line = std::string(indent, ' ') + line.substr(rest);
      least = indent;
    }
    out += line;
    if (end < text.size()) out += '\n';
    begin = end + 1;
  }
  return out;
}

std::string cut_to(std::string_view line, int columns) {
  return std::string(line.substr(0, bytes_of(line, static_cast<std::size_t>(columns))));
}

}  // namespace crocuta
