#include "examples/hyena/together.h"

#include <new>
#include <stdexcept>
#include <vector>

#include "framework/program.h"

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
  std::string message;
  std::int64_t status = 0;
  try {
    f();
  } catch (const std::exception& error) {
    message = message_of(error);
    status = exit_status(error);
  }
  const std::vector<std::int64_t> mine = {status, static_cast<std::int64_t>(message.size())};
  // On the CPU: what failed may be the GPU.
  const Device cpu = Device::cpu();
  const auto all = world.all_gather(from_vector(mine, {2}, cpu)).to_vector<std::int64_t>();
  for (int rank = 0; rank < world.size(); ++rank) {
    const std::int64_t its_status = all[2 * static_cast<std::size_t>(rank)];
    if (its_status == 0) continue;
    std::vector<std::int32_t> text(message.begin(), message.end());
    text.resize(static_cast<std::size_t>(all[2 * static_cast<std::size_t>(rank) + 1]));
    const Shape shape = {static_cast<std::int64_t>(text.size())};
    text = world.broadcast(from_vector(text, shape, cpu), rank).to_vector<std::int32_t>();
    throw SharedFailure(std::string(text.begin(), text.end()), static_cast<int>(its_status));
  }
}

}  // namespace crocuta::hyena
