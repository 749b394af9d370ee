#include "distributed/buffers.h"

#include <utility>

namespace crocuta::distributed {
namespace {

std::size_t bytes_of(const Tensor& x) {
  return static_cast<std::size_t>(x.numel()) * size_of(x.dtype());
}

}  // namespace

Buffers::Buffers(const Tensor& x, Shape result, Device place)
    : device_(x.device()), in_(x.detach().contiguous()) {
  const bool by_host = device_.is_cuda() && place.is_cpu();
  if (!by_host) in_ = in_.to(place);
  out_ = empty(std::move(result), {x.dtype(), by_host ? device_ : place});
  if (!by_host || bytes_of(in_) == 0) return;
  if (bytes_of(out_) > 0) staged_out_.emplace(device_, bytes_of(out_));
  staged_in_.emplace(device_, bytes_of(in_));
  staged_in_->load(in_.raw_data(), bytes_of(in_));
  staged_in_->wait();
}

const void* Buffers::in() const {
  return staged_in_ ? staged_in_->data() : in_.raw_data();
}
void* Buffers::out() {
  return staged_out_ ? staged_out_->data() : out_.raw_data();
}

Tensor Buffers::result() {
  if (staged_out_) staged_out_->store(out_.raw_data(), bytes_of(out_));
  return out_.to(device_);
}

}  // namespace crocuta::distributed
