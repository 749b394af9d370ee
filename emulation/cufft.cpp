#include "emulation/cufft.h"

#include <cmath>
#include <complex>
#include <cstring>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <numbers>
#include <string>
#include <vector>

#include "emulation/calls.h"
#include "emulation/memory.h"

namespace crocuta::emulation {
namespace {

using Complex = std::complex<double>;

// Not the operator, which looks for infinities.
Complex product(Complex a, Complex b) {
  return {a.real() * b.real() - a.imag() * b.imag(), a.real() * b.imag() + a.imag() * b.real()};
}

// Transforms of rows, in double, by Cooley and Tukey's recursion: n / p points for each of p
// residues, p the least factor of n, and then sums over the p.
class RowTransform {
 public:
  RowTransform(int n, int sign) {
    for (int j = 0; j < n; ++j) {
      roots_.push_back(std::polar(1.0, sign * 2 * std::numbers::pi * j / n));
    }
  }

  // out[k] = sum over j of in[stride * j] exp(sign 2 pi i j k / n)
  void run(std::size_t n, const Complex* in, std::size_t stride, Complex* out) const {
    if (n == 1) {
      *out = *in;
      return;
    }
    std::size_t p = 2;
    while (n % p != 0) ++p;
    const std::size_t part = n / p;
    for (std::size_t r = 0; r < p; ++r) run(part, in + r * stride, stride * p, out + r * part);
    if (p == 2) {  // nearly always
      const std::size_t step = roots_.size() / n;
      for (std::size_t k = 0; k < part; ++k) {
        const Complex even = out[k], odd = product(out[part + k], roots_[k * step]);
        out[k] = even + odd;
        out[part + k] = even - odd;
      }
      return;
    }
    std::vector<Complex> turned(p);
    for (std::size_t k = 0; k < part; ++k) {
      for (std::size_t r = 0; r < p; ++r) turned[r] = product(out[r * part + k], root(n, r * k));
      for (std::size_t q = 0; q < p; ++q) {
        Complex sum = turned[0];
        for (std::size_t r = 1; r < p; ++r) sum += product(turned[r], root(p, r * q));
        out[q * part + k] = sum;
      }
    }
  }

 private:
  Complex root(std::size_t order, std::size_t power) const {
    return roots_[power % order * (roots_.size() / order)];
  }

  std::vector<Complex> roots_;
};

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
void transform(const Plan& plan, const C* idata, C* odata, int direction) {
  using R = decltype(C::x);
  C* const work = static_cast<C*>(plan.work);
  const auto n = static_cast<std::size_t>(plan.n);
  const RowTransform row_transform(plan.n, direction);  // CUFFT_FORWARD is the exponent's sign
  std::vector<Complex> in(n), out(n);
  for (long long row = 0; row < plan.rows; ++row) {
    const C* const from = idata + row * plan.n;
    C* const to = work + row * plan.n;
    for (std::size_t j = 0; j < n; ++j) in[j] = {from[j].x, from[j].y};
    row_transform.run(n, in.data(), 1, out.data());
    for (std::size_t k = 0; k < n; ++k) {
      to[k] = {static_cast<R>(out[k].real()), static_cast<R>(out[k].imag())};
    }
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
