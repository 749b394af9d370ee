// Work that each rank does alone, but whose failure has to end all of them alike.
#pragma once

#include <functional>
#include <string>

#include "distributed/process_group.h"
#include "framework/base/error.h"

namespace crocuta::hyena {

// What programs exit with.
inline constexpr int kExitRuntime = 1, kExitUsage = 2;

// An error that every rank knows of, so that one message is enough.
struct SharedFailure : Error {
  SharedFailure(const std::string& message, int status) : Error(message), status(status) {}
  int status;
};

// kExitUsage for an ArgumentError, a DeviceError or a SharedFailure that says so, else
// kExitRuntime.
int exit_status(const std::exception& error);

// What a program says of it: its message, or in place of the standard library's "std::bad_alloc"
// what is the matter.
std::string message_of(const std::exception& error);

// Calls f on each rank; f must not communicate. If it throws on any, all ranks throw a
// SharedFailure with the message of the first that failed, which names that rank and its host
// unless all fail alike.
void together(const ProcessGroup& world, const std::function<void()>& f);

}  // namespace crocuta::hyena
