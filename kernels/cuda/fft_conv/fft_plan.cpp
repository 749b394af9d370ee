#include "kernels/cuda/fft_conv/fft_plan.h"

#include <list>
#include <mutex>
#include <string>

#include "kernels/cuda/fft_conv/fft_library.h"
#include "kernels/cuda/toolbox/device.h"
#include "kernels/error.h"

namespace crocuta::kernels {
namespace {

const char* name(cufftResult status) {
  switch (status) {
    case CUFFT_INVALID_PLAN:
      return "CUFFT_INVALID_PLAN";
    case CUFFT_ALLOC_FAILED:
      return "CUFFT_ALLOC_FAILED: out of device memory";
    case CUFFT_INVALID_VALUE:
      return "CUFFT_INVALID_VALUE";
    case CUFFT_INTERNAL_ERROR:
      return "CUFFT_INTERNAL_ERROR";
    case CUFFT_EXEC_FAILED:
      return "CUFFT_EXEC_FAILED";
    case CUFFT_SETUP_FAILED:
      return "CUFFT_SETUP_FAILED";
    case CUFFT_INVALID_SIZE:
      return "CUFFT_INVALID_SIZE";
    case CUFFT_NO_WORKSPACE:
      return "CUFFT_NO_WORKSPACE";
    default:
      return "an error of its own";
  }
}

void check(cufftResult status, const char* what) {
  if (status == CUFFT_SUCCESS) return;
  throw DeviceError(std::string(what) + ": cuFFT failed with " + name(status) + " (" +
                    std::to_string(static_cast<int>(status)) + ")");
}

struct Plan {
  int device = 0;
  cufftType type = CUFFT_C2C;
  std::int64_t n = 0, rows = 0;
  cufftHandle handle = 0;
  std::size_t work_bytes = 0;

  bool matches(const Plan& other) const {
    return device == other.device && type == other.type && n == other.n && rows == other.rows;
  }
};

// A plan remembers its stream and work area, so the lock is held until a transform is under way.
struct Plans {
  std::mutex mutex;
  std::list<Plan> recent;  // the last used first
};
// Never destroyed: at the end of the program cuFFT may be gone before we are.
Plans& plans() {
  static Plans* const plans = new Plans;
  return *plans;
}

void make(Plan& plan) {
  check(cufftCreate(&plan.handle), "cufftCreate");
  try {
    // Work areas come from the caller, so that all memory is seen by one allocator.
    check(cufftSetAutoAllocation(plan.handle, 0), "cufftSetAutoAllocation");
    long long n = plan.n;
    check(cufftMakePlanMany64(plan.handle, 1, &n, nullptr, 1, n, nullptr, 1, n, plan.type,
                              plan.rows, &plan.work_bytes),
          "cufftMakePlanMany64");
  } catch (...) {
    cufftDestroy(plan.handle);
    throw;
  }
}

// Under the lock.
template <class R>
const Plan& plan_for(std::int64_t n, std::int64_t rows) {
  Plan wanted;
  check_cuda(cudaGetDevice(&wanted.device), "cudaGetDevice");
  wanted.type = sizeof(R) == sizeof(float) ? CUFFT_C2C : CUFFT_Z2Z;
  wanted.n = n;
  wanted.rows = rows;
  std::list<Plan>& recent = plans().recent;
  for (auto it = recent.begin(); it != recent.end(); ++it) {
    if (!it->matches(wanted)) continue;
    recent.splice(recent.begin(), recent, it);
    return recent.front();
  }
  if (recent.size() == kMaxFftPlans) {
    cufftDestroy(recent.back().handle);
    recent.pop_back();
  }
  make(wanted);
  recent.push_front(wanted);
  return recent.front();
}

cufftResult execute(cufftHandle plan, Complex<float>* data, int direction) {
  auto* const x = reinterpret_cast<cufftComplex*>(data);
  return cufftExecC2C(plan, x, x, direction);
}
cufftResult execute(cufftHandle plan, Complex<double>* data, int direction) {
  auto* const x = reinterpret_cast<cufftDoubleComplex*>(data);
  return cufftExecZ2Z(plan, x, x, direction);
}

}  // namespace

std::int64_t cuda_fft_size(std::int64_t length) {
  for (std::int64_t power = 4;; power *= 2) {
    for (std::int64_t factor = 4; factor < 8; ++factor) {
      if (factor * power >= length) return factor * power;
    }
  }
}

template <class R>
std::size_t cuda_fft_work_bytes(std::int64_t n, std::int64_t rows) {
  const std::lock_guard lock(plans().mutex);
  return plan_for<R>(n, rows).work_bytes;
}

template <class R>
void cuda_fft(FftDirection direction, std::int64_t n, std::int64_t rows, Complex<R>* data,
              void* work, Stream stream) {
  const std::lock_guard lock(plans().mutex);
  const Plan& plan = plan_for<R>(n, rows);
  check(cufftSetStream(plan.handle, static_cast<cudaStream_t>(stream)), "cufftSetStream");
  if (plan.work_bytes > 0) check(cufftSetWorkArea(plan.handle, work), "cufftSetWorkArea");
  check(execute(plan.handle, data,
                direction == FftDirection::forward ? CUFFT_FORWARD : CUFFT_INVERSE),
        "fft_conv");
}

std::size_t cuda_fft_plans() {
  const std::lock_guard lock(plans().mutex);
  return plans().recent.size();
}

template std::size_t cuda_fft_work_bytes<float>(std::int64_t, std::int64_t);
template std::size_t cuda_fft_work_bytes<double>(std::int64_t, std::int64_t);
template void cuda_fft<float>(FftDirection, std::int64_t, std::int64_t, Complex<float>*, void*,
                              Stream);
template void cuda_fft<double>(FftDirection, std::int64_t, std::int64_t, Complex<double>*, void*,
                               Stream);

}  // namespace crocuta::kernels
