#include "framework/base/program.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "framework/base/error.h"
#include "framework/base/log.h"
#include "kernels/cpu/parallel.h"

namespace crocuta {
namespace {

namespace fs = std::filesystem;

std::string& started_as() {
  static std::string path;
  return path;
}

// A standard stream that was closed becomes one on which every read or write fails; else the next
// file to be opened, a checkpoint perhaps, would get its number and whatever is printed.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(stream, F_GETFD) != -1) continue;
    const int wrong_way = stream == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    [[maybe_unused]] const int taken = ::open("/dev/null", wrong_way);  // the lowest free number
  }
}

// As short as it can be said from here.
std::string from_here(const fs::path& path) {
  std::error_code error;
  const fs::path here = fs::current_path(error);
  if (error || !path.is_absolute()) return path.string();
  const fs::path relative = path.lexically_relative(here);
  if (relative.empty() || *relative.begin() == "..") return path.string();
  return relative.has_parent_path() ? relative.string() : "./" + relative.string();
}

}  // namespace

void begin_program(std::string_view name, const char* argv0) {
  started_as() = argv0 != nullptr && *argv0 != '\0' ? std::string(argv0) : std::string(name);
  occupy_standard_streams();
  ::signal(SIGXFSZ, SIG_IGN);
  set_log_name(name);
  if (const char* threads = std::getenv("CROCUTA_NUM_THREADS");
      threads != nullptr && !kernels::thread_count_was_asked_for()) {
    log_warn(
        str("CROCUTA_NUM_THREADS: expected a number of threads, got '", printable(threads), "'"));
  }
}

std::string own_command() {
  const char* script = std::getenv("CROCUTA_COMMAND");
  return shell_quote(script != nullptr && *script != '\0' ? std::string(script)
                                                          : from_here(started_as()));
}

std::string command_beside(std::string_view name) {
  const fs::path path(started_as());
  if (!path.has_parent_path()) return shell_quote(name);  // found along PATH, as that one will be
  return shell_quote(from_here(path.parent_path() / name));
}

std::optional<std::string> command_above(std::string_view path) {
  std::error_code error;
  fs::path folder = fs::read_symlink("/proc/self/exe", error).parent_path();
  for (; !folder.empty(); folder = folder.parent_path()) {
    if (fs::exists(folder / path, error)) return shell_quote(from_here(folder / path));
    if (folder == folder.root_path()) break;
  }
  return std::nullopt;
}

std::string without_functions(std::string message) {
  for (const std::string name : {"distributed::init: ", "load_state_dict: ", "shard_sequence: "}) {
    const std::size_t at = message.find(name);
    const bool whole = at == 0 || (at != message.npos && message[at - 1] == ' ');
    if (whole) message.erase(at, name.size());
  }
  return message;
}

std::string shell_quote(std::string_view text) {
  const std::string_view plain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_@%+:,./-";
  if (!text.empty() && text.find_first_not_of(plain) == text.npos) return std::string(text);
  const bool visible = printable(text, text.size()) == text;
  std::string quoted = visible ? "'" : "$'";
  for (const char c : text) {
    if (visible) {
      quoted += c == '\'' ? "'\\''" : std::string(1, c);
      continue;
    }
    constexpr char kOctal[] = "01234567";
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte >= 0x7f) {  // three digits, so that none that follows is taken for one
      quoted += {'\\', kOctal[byte >> 6], kOctal[byte >> 3 & 7], kOctal[byte & 7]};
    } else {
      quoted += c == '\'' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    }
  }
  return quoted + "'";
}

}  // namespace crocuta
