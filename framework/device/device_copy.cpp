#include "framework/device/device_copy.h"

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "framework/base/error.h"
#include "framework/device/device_cuda.h"
#include "kernels/cuda/toolbox/device.h"

namespace crocuta {

struct PinnedBuffer::Block {
  Device device;
  std::size_t bytes = 0;
  std::byte* data = nullptr;
  bool pinned = false;
  cudaEvent_t event = nullptr;  // after the work that uses the block; null if there was none
};

namespace {

using Block = PinnedBuffer::Block;

// Large copies go by pieces, so that the two halves of the way overlap and the host memory that is
// locked stays small.
constexpr std::size_t kPiece = std::size_t{8} << 20;
// When so many blocks of a size wait for the GPU, the oldest is waited for instead of making more.
constexpr std::size_t kMostBusy = 8;

using kernels::check_cuda;

cudaStream_t native(kernels::Stream stream) {
  return static_cast<cudaStream_t>(stream);
}

bool is_free(const Block& block) {
  if (block.event == nullptr) return true;
  const cudaError_t status = cudaEventQuery(block.event);
  if (status == cudaErrorNotReady) {
    cudaGetLastError();
    return false;
  }
  check_cuda(status, "cudaEventQuery");
  return true;
}

void wait_for_block(const Block& block) {
  if (block.event != nullptr) check_cuda(cudaEventSynchronize(block.event), "cudaEventSynchronize");
}

void obtain(Block& block) {
  cuda::make_current(block.device);
  void* data = nullptr;
  block.pinned = cudaHostAlloc(&data, block.bytes, cudaHostAllocPortable) == cudaSuccess;
  if (!block.pinned) {
    cudaGetLastError();
    data = std::aligned_alloc(64, block.bytes);
  }
  block.data = static_cast<std::byte*>(data);
}

void discard(Block* block) noexcept {
  if (block->event != nullptr) {
    static_cast<void>(cudaEventSynchronize(block->event));
    static_cast<void>(cudaEventDestroy(block->event));
  }
  if (block->pinned) {
    static_cast<void>(cudaFreeHost(block->data));
  } else {
    std::free(block->data);
  }
  cudaGetLastError();
  delete block;
}

// Blocks given back, some of which the GPU still uses.
class Pool {
 public:
  Block* take(Device device, std::size_t bytes) {
    const std::size_t rounded = std::max<std::size_t>(4096, std::bit_ceil(bytes));
    if (std::unique_ptr<Block, decltype(&discard)> old{take_old(device, rounded), &discard}) {
      wait_for_block(*old);
      return old.release();
    }
    auto block = std::make_unique<Block>();
    block->device = device;
    block->bytes = rounded;
    obtain(*block);
    if (block->data == nullptr) {
      throw OutOfMemory(str("PinnedBuffer: out of memory on cpu: wanted ", rounded, " bytes"));
    }
    return block.release();
  }

  void give_back(Block* block) noexcept {
    try {
      const std::lock_guard lock(mutex_);
      blocks_[{block->device, block->bytes}].push_back(block);
    } catch (const std::bad_alloc&) {
      discard(block);
    }
  }

 private:
  // A block that the GPU has finished with, or the oldest if there are many that it has not; null
  // if a new one is to be made. It is waited for without the mutex: what the GPU is at may need
  // another thread, which may need a block.
  Block* take_old(Device device, std::size_t bytes) {
    const std::lock_guard lock(mutex_);
    std::vector<Block*>& blocks = blocks_[{device, bytes}];
    auto found = std::find_if(blocks.begin(), blocks.end(), [](Block* b) { return is_free(*b); });
    if (found == blocks.end() && blocks.size() >= kMostBusy) found = blocks.begin();
    if (found == blocks.end()) return nullptr;
    Block* const block = *found;
    blocks.erase(found);
    return block;
  }

  std::mutex mutex_;
  std::map<std::pair<Device, std::size_t>, std::vector<Block*>> blocks_;  // the oldest first
};

Pool& pool() {
  static auto* const instance = new Pool;  // never destroyed, as the allocators
  return *instance;
}

}  // namespace

PinnedBuffer::PinnedBuffer(Device device, std::size_t bytes) : block_(pool().take(device, bytes)) {}
PinnedBuffer::PinnedBuffer(PinnedBuffer&& other) noexcept
    : block_(std::exchange(other.block_, nullptr)) {}
PinnedBuffer::~PinnedBuffer() {
  if (block_ != nullptr) pool().give_back(block_);
}

std::byte* PinnedBuffer::data() const {
  return block_->data;
}

void PinnedBuffer::wait() const {
  wait_for_block(*block_);
  cuda::after_wait();
}

void PinnedBuffer::load(const void* from, std::size_t bytes) {
  const kernels::Stream stream = current_stream(block_->device);
  check_cuda(cudaMemcpyAsync(data(), from, bytes, cudaMemcpyDeviceToHost, native(stream)),
             "copy from the GPU");
  used_by(stream);
}

void PinnedBuffer::store(void* to, std::size_t bytes) {
  const kernels::Stream stream = current_stream(block_->device);
  check_cuda(cudaMemcpyAsync(to, data(), bytes, cudaMemcpyHostToDevice, native(stream)),
             "copy to the GPU");
  used_by(stream);
}

void PinnedBuffer::used_by(kernels::Stream stream) {
  if (block_->event == nullptr) {
    check_cuda(cudaEventCreateWithFlags(&block_->event, cudaEventDisableTiming), "cudaEventCreate");
  }
  check_cuda(cudaEventRecord(block_->event, native(stream)), "cudaEventRecord");
}

namespace {

void copy_to_gpu(Device device, std::byte* to, const std::byte* from, std::size_t bytes) {
  for (std::size_t at = 0; at < bytes; at += kPiece) {
    const std::size_t count = std::min(kPiece, bytes - at);
    PinnedBuffer piece(device, count);
    std::memcpy(piece.data(), from + at, count);
    piece.store(to + at, count);
  }
}

void copy_from_gpu(Device device, std::byte* to, const std::byte* from, std::size_t bytes) {
  std::optional<PinnedBuffer> last;  // that the GPU is writing to
  std::size_t arrived = 0;
  const auto take_last = [&] {
    if (!last) return;
    const std::size_t count = std::min(kPiece, bytes - arrived);
    last->wait();
    std::memcpy(to + arrived, last->data(), count);
    arrived += count;
    last.reset();
  };
  for (std::size_t at = 0; at < bytes; at += kPiece) {
    const std::size_t count = std::min(kPiece, bytes - at);
    PinnedBuffer piece(device, count);
    piece.load(from + at, count);
    take_last();
    last.emplace(std::move(piece));
  }
  take_last();
}

// Without it the driver takes copies between two GPUs through the host. Where they cannot reach
// each other it does so anyway.
void enable_peer_access(Device from, Device to) {
  static std::mutex mutex;
  static std::set<std::pair<Device, Device>> tried;
  const std::lock_guard lock(mutex);
  if (!tried.emplace(from, to).second) return;
  int possible = 0;
  check_cuda(cudaDeviceCanAccessPeer(&possible, from.index, to.index), "cudaDeviceCanAccessPeer");
  if (possible == 0) return;
  cuda::make_current(from);
  const cudaError_t status = cudaDeviceEnablePeerAccess(to.index, 0);
  if (status == cudaErrorPeerAccessAlreadyEnabled) {
    cudaGetLastError();
  } else {
    check_cuda(status, "cudaDeviceEnablePeerAccess");
  }
}

void copy_between_gpus(Device to_device, void* to, Device from_device, const void* from,
                       std::size_t bytes) {
  const kernels::Stream source = current_stream(from_device), target = current_stream(to_device);
  if (from_device != to_device) enable_peer_access(from_device, to_device);
  wait_for(from_device, source, to_device, target);  // `to` may have been in use until now
  current_stream(from_device);
  check_cuda(
      cudaMemcpyPeerAsync(to, to_device.index, from, from_device.index, bytes, native(source)),
      "copy between GPUs");
  wait_for(to_device, target, from_device, source);
}

}  // namespace

void copy_bytes(Device to_device, void* to, Device from_device, const void* from,
                std::size_t bytes) {
  if (bytes == 0) return;
  if (to_device.is_cuda() && from_device.is_cuda()) {
    copy_between_gpus(to_device, to, from_device, from, bytes);
  } else if (to_device.is_cuda()) {
    copy_to_gpu(to_device, static_cast<std::byte*>(to), static_cast<const std::byte*>(from), bytes);
  } else if (from_device.is_cuda()) {
    copy_from_gpu(from_device, static_cast<std::byte*>(to), static_cast<const std::byte*>(from),
                  bytes);
  } else {
    std::memcpy(to, from, bytes);
  }
}

}  // namespace crocuta
