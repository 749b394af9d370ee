#include "emulation/cufft.h"

#include <fftw3.h>

#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "emulation/calls.h"
#include "emulation/memory.h"
#include "kernels/cpu/fft_plan.h"

namespace crocuta::emulation {
namespace {

// FFTW's two precisions under one name. Plans are made without timing anything and for arrays of
// any alignment, so that every row of every batch gives the same bits.
constexpr unsigned kFlags = FFTW_ESTIMATE | FFTW_UNALIGNED;

fftwf_complex* as_fftw(cufftComplex* x) {
  return reinterpret_cast<fftwf_complex*>(x);
}
fftw_complex* as_fftw(cufftDoubleComplex* x) {
  return reinterpret_cast<fftw_complex*>(x);
}
fftwf_plan make(int n, fftwf_complex* in, fftwf_complex* out, int sign) {
  return fftwf_plan_dft_1d(n, in, out, sign, kFlags);
}
fftw_plan make(int n, fftw_complex* in, fftw_complex* out, int sign) {
  return fftw_plan_dft_1d(n, in, out, sign, kFlags);
}
void execute(fftwf_plan plan, fftwf_complex* in, fftwf_complex* out) {
  fftwf_execute_dft(plan, in, out);
}
void execute(fftw_plan plan, fftw_complex* in, fftw_complex* out) {
  fftw_execute_dft(plan, in, out);
}
void destroy(fftwf_plan plan) {
  fftwf_destroy_plan(plan);
}
void destroy(fftw_plan plan) {
  fftw_destroy_plan(plan);
}

struct Plan {
  int device = 0;
  bool made = false, auto_allocation = true;
  cufftType type = CUFFT_C2C;
  int n = 0;
  long long rows = 0;
  cudaStream_t stream = nullptr;
  void* work = nullptr;

  std::size_t row_bytes() const {
    return static_cast<std::size_t>(n) *
           (type == CUFFT_C2C ? sizeof(cufftComplex) : sizeof(cufftDoubleComplex));
  }
  std::size_t bytes() const { return static_cast<std::size_t>(rows) * row_bytes(); }
};

// Never destroyed, like the plans of those who use it.
struct Plans {
  std::mutex mutex;
  std::map<cufftHandle, std::shared_ptr<Plan>> all;
  cufftHandle next = 0;
};
Plans& plans() {
  static Plans* const plans = new Plans;
  return *plans;
}

// nullptr if there is none.
std::shared_ptr<Plan> find(cufftHandle handle) {
  const std::lock_guard lock(plans().mutex);
  const auto found = plans().all.find(handle);
  return found == plans().all.end() ? nullptr : found->second;
}

cufftResult begin(const char* name, cufftResult likely = CUFFT_EXEC_FAILED) {
  if (call_fails(name)) return likely;
  return surfaced_fault() == cudaSuccess ? CUFFT_SUCCESS : CUFFT_EXEC_FAILED;
}

bool on_device(const void* data, std::size_t bytes, int device) {
  const MemoryRange range = find_memory(data);
  return range.kind == MemoryKind::device && range.device == device && range.begin != nullptr &&
         static_cast<const char*>(data) + bytes <= range.begin + range.bytes;
}

// All rows go to the work area and then to the result, which may be the data itself.
template <class C>
void transform(const Plan& plan, C* idata, C* odata, int direction) {
  C* const work = static_cast<C*>(plan.work);
  const auto made = [&] {
    const std::lock_guard lock(kernels::fftw_planner_mutex());
    return make(plan.n, as_fftw(idata), as_fftw(work),
                direction == CUFFT_FORWARD ? FFTW_FORWARD : FFTW_BACKWARD);
  }();
  for (long long row = 0; row < plan.rows; ++row) {
    execute(made, as_fftw(idata + row * plan.n), as_fftw(work + row * plan.n));
  }
  {
    const std::lock_guard lock(kernels::fftw_planner_mutex());
    destroy(made);
  }
  std::memcpy(odata, work, plan.bytes());
  std::memset(work, kPoison, plan.bytes());
}

template <class C>
cufftResult execute(const char* name, cufftHandle handle, cufftType type, C* idata, C* odata,
                    int direction) {
  if (const cufftResult status = begin(name); status != CUFFT_SUCCESS) return status;
  const std::shared_ptr<Plan> plan = find(handle);
  if (plan == nullptr || !plan->made) return CUFFT_INVALID_PLAN;
  if (plan->type != type) return CUFFT_INVALID_TYPE;
  if (idata == nullptr || odata == nullptr) return CUFFT_INVALID_VALUE;
  if (direction != CUFFT_FORWARD && direction != CUFFT_INVERSE) return CUFFT_INVALID_VALUE;
  if (plan->work == nullptr) return CUFFT_NO_WORKSPACE;
  if (check_stream(plan->stream) != cudaSuccess) return CUFFT_EXEC_FAILED;
  int device = 0;
  if (cudaGetDevice(&device) != cudaSuccess || device != plan->device) return CUFFT_INVALID_DEVICE;
  if (fault_pending()) return CUFFT_SUCCESS;
  for (const void* data : {static_cast<void*>(idata), static_cast<void*>(odata), plan->work}) {
    if (on_device(data, plan->bytes(), device)) continue;
    start_fault("cuFFT: data or work area is not, or not whole, in memory of device " +
                std::to_string(device));
    return CUFFT_SUCCESS;  // as for any fault, a later call brings the news
  }
  const DeviceAccess access;
  transform(*plan, idata, odata, direction);
  return CUFFT_SUCCESS;
}

}  // namespace
}  // namespace crocuta::emulation

using namespace crocuta::emulation;

cufftResult cufftCreate(cufftHandle* handle) {
  if (handle == nullptr) return CUFFT_INVALID_VALUE;
  const cufftResult status = begin("cufftCreate", CUFFT_ALLOC_FAILED);
  if (status != CUFFT_SUCCESS) return status;
  auto plan = std::make_shared<Plan>();
  if (cudaGetDevice(&plan->device) != cudaSuccess) return CUFFT_SETUP_FAILED;
  const std::lock_guard lock(plans().mutex);
  *handle = plans().next++;
  plans().all[*handle] = std::move(plan);
  return CUFFT_SUCCESS;
}

cufftResult cufftDestroy(cufftHandle handle) {
  const std::lock_guard lock(plans().mutex);
  return plans().all.erase(handle) == 1 ? CUFFT_SUCCESS : CUFFT_INVALID_PLAN;
}

cufftResult cufftSetAutoAllocation(cufftHandle handle, int autoAllocate) {
  const std::shared_ptr<Plan> plan = find(handle);
  if (plan == nullptr) return CUFFT_INVALID_PLAN;
  plan->auto_allocation = autoAllocate != 0;
  return begin("cufftSetAutoAllocation");
}

cufftResult cufftMakePlanMany64(cufftHandle handle, int rank, long long* n, long long* inembed,
                                long long, long long, long long* onembed, long long, long long,
                                cufftType type, long long batch, std::size_t* workSize) {
  const cufftResult status = begin("cufftMakePlanMany64", CUFFT_ALLOC_FAILED);
  if (status != CUFFT_SUCCESS) return status;
  const std::shared_ptr<Plan> plan = find(handle);
  if (plan == nullptr || plan->made) return CUFFT_INVALID_PLAN;
  if (n == nullptr || workSize == nullptr) return CUFFT_INVALID_VALUE;
  if (type != CUFFT_C2C && type != CUFFT_Z2Z) return CUFFT_INVALID_TYPE;
  if (*n < 1 || batch < 1) return CUFFT_INVALID_SIZE;
  if (rank != 1 || inembed != nullptr || onembed != nullptr || plan->auto_allocation ||
      *n > std::numeric_limits<int>::max()) {
    return CUFFT_NOT_SUPPORTED;
  }
  plan->made = true;
  plan->type = type;
  plan->n = static_cast<int>(*n);
  plan->rows = batch;
  *workSize = plan->bytes();
  return CUFFT_SUCCESS;
}

cufftResult cufftSetStream(cufftHandle handle, cudaStream_t stream) {
  const std::shared_ptr<Plan> plan = find(handle);
  if (plan == nullptr) return CUFFT_INVALID_PLAN;
  plan->stream = stream;
  return begin("cufftSetStream");
}

cufftResult cufftSetWorkArea(cufftHandle handle, void* workArea) {
  const std::shared_ptr<Plan> plan = find(handle);
  if (plan == nullptr) return CUFFT_INVALID_PLAN;
  plan->work = workArea;
  return begin("cufftSetWorkArea");
}

cufftResult cufftExecC2C(cufftHandle handle, cufftComplex* idata, cufftComplex* odata,
                         int direction) {
  return execute("cufftExecC2C", handle, CUFFT_C2C, idata, odata, direction);
}

cufftResult cufftExecZ2Z(cufftHandle handle, cufftDoubleComplex* idata, cufftDoubleComplex* odata,
                         int direction) {
  return execute("cufftExecZ2Z", handle, CUFFT_Z2Z, idata, odata, direction);
}
