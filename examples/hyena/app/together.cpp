#include "examples/hyena/app/together.h"

#include <new>
#include <stdexcept>

#include "distributed/agreement.h"
#include "framework/base/program.h"

namespace crocuta::hyena {

int exit_status(const std::exception& error) {
  if (const auto* shared = dynamic_cast<const SharedFailure*>(&error)) return shared->status;
  const bool usage = dynamic_cast<const ArgumentError*>(&error) != nullptr ||
                     dynamic_cast<const DeviceError*>(&error) != nullptr;
  return usage ? kExitUsage : kExitRuntime;
}

std::string message_of(const std::exception& error) {
  const bool memory = dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
                      dynamic_cast<const std::length_error*>(&error) != nullptr;
  return memory ? "out of memory on cpu; try a smaller batch size or sequence length"
                : without_functions(error.what());
}

void together(const ProcessGroup& world, const std::function<void()>& f) {
  std::string failure;  // the exit status, one digit, and the message; "" is success
  try {
    f();
  } catch (const std::exception& error) {
    failure = str(exit_status(error), message_of(error));
  }
  const Failure first = first_failure(failure, world);
  if (first.text.empty()) return;
  throw SharedFailure(first.who + first.text.substr(1), first.text.front() - '0');
}

}  // namespace crocuta::hyena
