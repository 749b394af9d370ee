// A vector in device memory, for tests of kernels.
#pragma once

#include <cstddef>
#include <vector>

#include "kernels/cuda/toolbox/device.h"

namespace crocuta::test {

template <class T>
class DeviceVector {
 public:
  explicit DeviceVector(std::size_t size) : size_(size) {
    kernels::check_cuda(cudaMalloc(&data_, size * sizeof(T)), "cudaMalloc");
  }
  explicit DeviceVector(const std::vector<T>& values) : DeviceVector(values.size()) {
    kernels::check_cuda(cudaMemcpy(data_, values.data(), size_ * sizeof(T), cudaMemcpyHostToDevice),
                        "cudaMemcpy");
  }
  ~DeviceVector() { cudaFree(data_); }
  DeviceVector(const DeviceVector&) = delete;
  DeviceVector& operator=(const DeviceVector&) = delete;

  T* data() const { return data_; }
  std::size_t size() const { return size_; }
  std::vector<T> to_vector() const {
    std::vector<T> values(size_);
    kernels::check_cuda(cudaMemcpy(values.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost),
                        "cudaMemcpy");
    return values;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

}  // namespace crocuta::test
