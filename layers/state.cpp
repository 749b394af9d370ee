#include "layers/state.h"

#include "framework/base/error.h"

namespace crocuta {

State::State(std::int64_t batch) : batch_(batch) {
  if (batch < 0) fail<ArgumentError>("State", "batch", "at least 0", str(batch));
}

State::State(const State& other)
    : batch_(other.batch_), position_(other.position_), broken_(other.broken_), kept_(other.kept_) {
  for (auto& [layer, kept] : kept_) {
    for (Tensor& tensor : kept.changing) tensor = tensor.clone();
  }
}

const State::Kept& State::of(const Layer& layer) const {
  static const Kept nothing;
  const auto found = kept_.find(&layer);
  return found == kept_.end() ? nothing : found->second;
}

State::Kept& State::change(const Layer& layer) {
  changed_ = true;
  return kept_[&layer];
}

State& State::operator=(const State& other) {
  State copy(other);
  return *this = std::move(copy);
}

std::size_t State::bytes() const {
  std::size_t bytes = 0;
  for (const auto& [layer, kept] : kept_) {
    for (const Tensor& tensor : kept.changing) bytes += tensor.storage()->bytes;
  }
  return bytes;
}

}  // namespace crocuta
