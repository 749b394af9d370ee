#include "examples/hyena/app/signals.h"

#include <signal.h>
#include <unistd.h>

#include <atomic>

namespace crocuta::hyena {
namespace {

std::atomic<int> stop = 0;
std::atomic<bool> save = false, line_unfinished = false;
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may only use lock-free atomics");

void note_stop(int signal) {
  int none = 0;
  stop.compare_exchange_strong(none, signal);
}
void on_stop(int signal) {
  if (stop == 0) return note_stop(signal);
  if (line_unfinished && ::write(STDOUT_FILENO, "\n", 1) != 1) ::_exit(128 + signal);
  ::_exit(128 + signal);
}
void on_save(int) {
  save = true;
}

void handle(int signal, void (*handler)(int)) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = SA_RESTART;  // a write to disk that is under way goes on
  ::sigaction(signal, &action, nullptr);
}

}  // namespace

void catch_signals() {
  handle(SIGINT, on_stop);
  handle(SIGTERM, on_stop);
  handle(SIGXCPU, note_stop);
  struct sigaction hangup = {};
  ::sigaction(SIGHUP, nullptr, &hangup);
  if (hangup.sa_handler != SIG_IGN) handle(SIGHUP, note_stop);
  handle(SIGUSR1, on_save);
  handle(SIGPIPE, SIG_IGN);
}

int stop_signal() {
  return stop;
}
bool take_save_request() {
  return save.exchange(false);
}

std::string signal_name(int signal) {
  switch (signal) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGHUP:
      return "SIGHUP";
    case SIGXCPU:
      return "SIGXCPU";
    default:
      return "signal " + std::to_string(signal);
  }
}

void set_line_unfinished(bool unfinished) {
  line_unfinished = unfinished;
}

}  // namespace crocuta::hyena
