#include "examples/hyena/console.h"

#include <unistd.h>

#include <cstdio>

#include "distributed/init.h"

namespace crocuta::hyena {
namespace {

// Not std::cout: a reader that has gone away must neither end the run nor stop later lines.
void put(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
  std::clearerr(stdout);
}

}  // namespace

// Open MPI's mpirun gives its processes a terminal of its own making, whatever its output goes to.
Console::Console(bool silent)
    : silent_(silent),
      terminal_(::isatty(STDOUT_FILENO) == 1 && !distributed::launched_processes()) {}

void Console::line(const std::string& text) {
  if (silent_) return;
  clear();
  put(text + "\n");
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
  put("\r" + text + "\x1b[K");  // the escape clears what an older, longer line left
}

void Console::clear() {
  if (!shown_) return;
  put("\r\x1b[K");
  shown_ = false;
}

}  // namespace crocuta::hyena
