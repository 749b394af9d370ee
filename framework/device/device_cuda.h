// What framework/device/device.cpp asks of CUDA. In a build without CUDA there are no GPUs, and what
// needs one throws.
#pragma once

#include <cstddef>
#include <string>

#include "framework/device/device.h"

namespace crocuta::cuda {

// Why cuda_device_count() is 0.
std::string problem();
// Makes CUDA calls of this thread refer to `device`.
void make_current(Device device);
// The stream that all threads share; makes `device` current.
kernels::Stream default_stream(Device device);
kernels::Stream new_stream(Device device);
void delete_stream(Device device, kernels::Stream stream) noexcept;
void wait_for(Device device, kernels::Stream stream, Device other_device, kernels::Stream other);
void synchronize(Device device);
// To be called after waiting for a GPU, before what it has computed is looked at.
void after_wait();

}  // namespace crocuta::cuda
