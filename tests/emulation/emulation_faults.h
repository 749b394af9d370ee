// What tests of the emulation's faults share.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <string>

#include "emulation/errors.h"
#include "kernels/cuda/toolbox/launch.h"
#include "kernels/error.h"

namespace crocuta::test {

// What launching says, without throwing: "" or the message of the DeviceError.
template <class F>
std::string error_of(F f) {
  try {
    f();
  } catch (const DeviceError& error) {
    return error.what();
  }
  return "";
}

// Runs f() in a child process and says how that ended: the signal, 1 for AddressSanitizer's and
// UBSan's reports, or 0.
template <class F>
int end_of_child(F f) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    std::freopen("/dev/null", "w", stderr);
    std::signal(SIGSEGV, SIG_DFL);
    f();
    _exit(0);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace crocuta::test
