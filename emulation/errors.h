// The emulation's errors: what the last one was, what to say about it, and calls made to fail.
#pragma once

#include <cstdint>
#include <string>

#include "emulation/runtime_api.h"

namespace crocuta::emulation {

// Remembers the calling thread's last error, and what cudaGetErrorString(error) adds to its text.
cudaError_t set_error(cudaError_t error, std::string detail = "");

// From now on the n-th call (1 = the next) of the function `name` fails, once, with the error that
// is likeliest in practice; cudaLaunchKernel is a kernel's launch, and so is the name of its op;
// "any" is every call. 0 takes it back. Returns true if an earlier request has not come true yet.
// CROCUTA_EMULATION_FAIL=cudaMalloc:3,cudaMemcpyAsync:1 does the same from outside.
bool fail_call(const std::string& name, std::uint64_t n);
// The n-th launch from now faults as kernels do on a GPU: the launch succeeds, the kernel does not
// run, the next call that waits for the device says so, and from then on all calls do, until
// cudaDeviceReset(). In CROCUTA_EMULATION_FAIL it is called fault:<n>.
void fault_launch(std::uint64_t n);

// What every emulated call, of the libraries too, asks first: true if it is to fail.
bool call_fails(const char* name);
bool launch_faults();
// An asynchronous fault has two stages: work queued after it does not run, but says nothing, until
// a call that waits for the device surfaces it; from then on every call fails with it.
void start_fault(const std::string& detail);
bool fault_pending();          // in either stage
cudaError_t surface_fault();   // called by those that wait; cudaSuccess if there is none
cudaError_t surfaced_fault();  // called by all others
void end_fault();

}  // namespace crocuta::emulation
