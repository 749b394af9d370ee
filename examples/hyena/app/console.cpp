#include "examples/hyena/app/console.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "distributed/init.h"
#include "examples/hyena/app/signals.h"
#include "framework/base/log.h"
#include "framework/base/output.h"

namespace crocuta::hyena {

// Open MPI's mpirun gives its processes a terminal of its own making, whatever its output goes to.
Console::Console(bool silent)
    : silent_(silent),
      terminal_(::isatty(STDOUT_FILENO) == 1 && !distributed::launched_processes()) {}

// A reader that has gone away, or a terminal that was closed, must neither end the run nor stop
// later lines.
void Console::put(const std::string& text) {
  const int code = try_print(text);
  const bool gone = code == EPIPE || (terminal_ && code == EIO);
  if (code == 0 || gone || failed_) return;
  failed_ = true;
  log_error(output_failure(code) + "; the work goes on, and files are written as ever");
}

void Console::line(const std::string& text) {
  if (silent_) return;
  clear();
  put((text.starts_with(' ') ? text : wrapped(text, output_columns())) + "\n");
}

void Console::progress(const std::string& text, bool keep) {
  if (silent_) return;
  if (!terminal_) {
    if (keep) put(text + "\n");
    return;
  }
  const auto now = std::chrono::steady_clock::now();
  if (now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  set_line_unfinished(true);
  // A line that reached the last column could not be written over. The escape clears what an older,
  // longer one left.
  std::string line = cut_to(text, output_columns() - 1);
  if (line.size() < text.size())
    line.resize(std::min(line.size(), line.rfind("  ")));  // whole parts
  put(str("\r", line, "\x1b[K"));
}

void Console::clear() {
  if (!shown_) return;
  put("\r\x1b[K");
  shown_ = false;
  set_line_unfinished(false);
}

}  // namespace crocuta::hyena
