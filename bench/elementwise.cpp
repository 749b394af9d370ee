// Element-by-element functions, norms, losses and optimizers against a copy of the same size: all
// of them read and write memory a few times, and the copy is what that costs.
//
//   bench_elementwise [cpu | cuda] [elements]
//
// On a GPU in float32 and in bfloat16, there with the optimizer's float32 parameters beside.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#if defined(CROCUTA_WITH_CUDA)
#include "bench/device_limits.h"
#endif
#include "bench/harness.h"
#include "bench/limits.h"
#include "framework/ops/ops.h"
#include "framework/ops/workspace.h"
#include "framework/tensor/random.h"
#include "kernels/copy.h"
#include "kernels/cross_entropy.h"
#include "kernels/dropout.h"
#include "kernels/elementwise.h"
#include "kernels/embedding.h"
#include "kernels/functors.h"
#include "kernels/layer_norm.h"
#include "kernels/optimizer.h"
#include "kernels/random.h"
#include "kernels/reduce.h"
#include "kernels/softmax.h"
#include "kernels/unary_functors.h"

namespace crocuta::bench {
namespace {

using namespace kernels;  // NOLINT: what is measured

constexpr std::int64_t kColumns = 512;

struct Case {
  Candidate candidate;
  double bytes;  // read and written per element
};

template <class Machine, class T>
class Elementwise {
 public:
  Elementwise(Device device, std::int64_t rows)
      : device_(device), rows_(rows), n_(rows * kColumns), stream_(current_stream(device)) {
    uniform_(x_, -1, 1);
    uniform_(dy_, -1, 1);
    std::vector<std::int64_t> ids;
    for (std::int64_t i = 0; i < rows_; ++i) ids.push_back(i * i * 7 % vocabulary_);
    ids_ = from_vector(ids, {rows_}, device);
  }

  void measure() {
    const std::vector<Case> cases = all();
    std::vector<Candidate> candidates;
    for (const Case& c : cases) candidates.push_back(c.candidate);
    const std::vector<Timing> timings = compare(candidates, 9, 0.02, device_);
    std::printf("%s, %s, %lld elements (rows of %lld)\n", machine(device_).c_str(),
                std::string(crocuta::name(dtype_of<T>)).c_str(), static_cast<long long>(n_),
                static_cast<long long>(kColumns));
    std::printf("%-24s %10s %8s %12s %8s\n", "", "us", "GB/s", "of a copy's", "spread");
    const auto rate = [&](std::size_t i) {
      return cases[i].bytes * static_cast<double>(n_) / timings[i].median;
    };
    for (std::size_t i = 0; i < cases.size(); ++i) {
      std::printf("%-24s %10.1f %8.1f %11.0f%% %7.0f%%\n", candidates[i].name.c_str(),
                  timings[i].median * 1e6, rate(i) / 1e9, rate(i) / rate(0) * 100,
                  timings[i].spread * 100);
    }
  }

 private:
  using A = accumulator_t<T>;
  static constexpr double kSize = sizeof(T), kState = sizeof(A);

  Tensor tensor(const Shape& shape, DType dtype = dtype_of<T>) const {
    return empty(shape, {.dtype = dtype, .device = device_});
  }
  T* x() const { return x_.template data<T>(); }
  T* dy() const { return dy_.template data<T>(); }
  T* y() const { return y_.template data<T>(); }

  static void* scratch(const Tensor& t) { return t.data<std::int64_t>(); }

  Case plain_copy() {
    return {{"copy",
             [this] {
               if constexpr (std::is_same_v<Machine, Cpu>) {
                 bench::copy(static_cast<std::size_t>(n_), x(), y());
               } else {
                 // By a kernel, since cudaMemcpyAsync may leave it to a slower copy engine.
                 device_copy(n_ * std::int64_t{sizeof(T)}, x(), y(), stream_);
               }
             }},
            2 * kSize};
  }
  Case strided(const char* name, const StridedShape<2>& shape) {
    return {{name, [this, shape] { kernels::copy<Machine, T, T>(shape, y(), x(), stream_); }},
            2 * kSize};
  }
  template <class Op>
  Case forward(const char* name, Op op) {
    return {{name, [this, op] { unary<Machine, Op, T>(n_, op, x(), y(), stream_); }}, 2 * kSize};
  }
  template <class Op>
  Case backward(const char* name, Op op) {
    return {{name, [this, op] { unary_backward<Machine, Op, T>(n_, op, x(), dy(), y(), stream_); }},
            3 * kSize};
  }
  Case sum_with(const char* name, const StridedShape<2>& shape, const Tensor& b, double tensors) {
    return {{name,
             [this, shape, b] {
               binary<Machine, Add, T>(shape, Add{}, x(), b.template data<T>(), y(), stream_);
             }},
            tensors * kSize};
  }

  std::vector<Case> elementwise() {
    const StridedShape<2> flat = {1, n_, {n_}, {{1}, {1}}};
    const StridedShape<2> transposed = {2, n_, {kColumns, rows_}, {{rows_, 1}, {1, kColumns}}};
    const StridedShape<2> by_column = {2, n_, {rows_, kColumns}, {{kColumns, 1}, {0, 1}}};
    const StridedShape<2> by_row = {2, n_, {rows_, kColumns}, {{kColumns, 1}, {1, 0}}};
    return {
        plain_copy(),
        strided("copy, our kernel", flat),
        strided("copy, transposed", transposed),
        {{"fill", [this] { fill<Machine, T>(n_, T(A(1)), y(), stream_); }}, kSize},
        sum_with("add", flat, dy_, 3),
        sum_with("add, by column", by_column, weight_, 2),
        sum_with("add, by row", by_row, dy_, 2),
        forward("affine", Affine{0.5, 0.25}),
        forward("exp", Exp{}),
        forward("sin", Sin{}),
        forward("tanh", Tanh{}),
        forward("silu", Silu{}),
        backward("silu backward", SiluBackward{}),
        forward("gelu", Gelu{}),
        backward("gelu backward", GeluBackward{}),
        {{"dropout",
          [this] {
            dropout<Machine, T>({.rows = n_, .global_rows = n_}, 1, 2, 1u << 30, 1.5, x(), y(),
                                stream_);
          }},
         2 * kSize},
        {{"uniform", [this] { random_uniform<Machine, T>(n_, 1, 2, -1, 1, y(), stream_); }}, kSize},
        {{"normal", [this] { random_normal<Machine, T>(n_, 1, 2, 0, 1, y(), stream_); }}, kSize},
        {{"adamw",
          [this] {
            adamw_step<Machine, T>(n_, {1e-3, 0.9, 0.99, 1e-8, 0.1, 0.1, 0.01, 1}, dy(), y(),
                                   first_.template data<A>(), second_.template data<A>(), master(),
                                   stream_);
          }},
         2 * kSize + (sizeof(T) == sizeof(A) ? 1 : 2) * kState + 4 * kState},
    };
  }
  // The parameter in float beside a 16-bit one, as mixed precision has it.
  A* master() const { return sizeof(T) == sizeof(A) ? nullptr : master_.template data<A>(); }

  std::vector<Case> rows() {
    const auto stat = [](const Tensor& t) { return t.template data<A>(); };
    const auto moments = [this] { return static_cast<RowMoments<A>*>(moments_.raw_data()); };
    const auto ids = [this] { return ids_.template data<std::int64_t>(); };
    return {
        {{"sum",
          [this] {
            sum<Machine, T>(1, n_, 1, x(), bias_.template data<T>(), scratch(sum_scratch_),
                            stream_);
          }},
         kSize},
        {{"softmax", [this] { softmax_forward<Machine, T>(rows_, kColumns, x(), y(), stream_); }},
         2 * kSize},
        {{"softmax backward",
          [this] { softmax_backward<Machine, T>(rows_, kColumns, x(), dy(), y(), stream_); }},
         3 * kSize},
        {{"layer_norm",
          [this, moments] {
            layer_norm_forward<Machine, T>(rows_, kColumns, 1e-5, x(), weight_.template data<T>(),
                                           bias_.template data<T>(), y(), moments(), stream_);
          }},
         2 * kSize},
        {{"layer_norm backward",
          [this, moments] {
            layer_norm_backward<Machine, T>(rows_, kColumns, x(), weight_.template data<T>(),
                                            moments(), dy(), y(), dweight_.template data<T>(),
                                            dbias_.template data<T>(), scratch(layer_norm_scratch_),
                                            stream_);
          }},
         3 * kSize},
        {{"embedding",
          [this, ids] {
            embedding_forward<Machine, T>(rows_, kColumns, ids(), x(), y(), stream_);
          }},
         kSize},
        {{"embedding backward",
          [this, ids] {
            embedding_backward<Machine, T>(rows_, kColumns, vocabulary_, ids(), dy(), y(),
                                           scratch(embedding_scratch_), stream_);
          }},
         kSize},
        {{"cross_entropy",
          [this, stat, ids] {
            cross_entropy_forward<Machine, T>(rows_, kColumns, -100, x(), ids(), stat(loss_),
                                              stat(max_), stat(log_sum_), stream_);
          }},
         kSize},
        {{"cross_entropy backward",
          [this, stat, ids] {
            cross_entropy_backward<Machine, T>(rows_, kColumns, -100, 1.0, x(), ids(), stat(max_),
                                               stat(log_sum_), stat(loss_), y(), stream_);
          }},
         2 * kSize},
    };
  }
  std::vector<Case> all() {
    std::vector<Case> cases = elementwise();
    for (Case& c : rows()) cases.push_back(std::move(c));
    return cases;
  }

  const Device device_;
  const std::int64_t rows_, n_;
  // The table of an embedding takes the place of x or y.
  const std::int64_t vocabulary_ = std::min(rows_, kColumns);
  const Stream stream_;
  Tensor x_ = tensor({n_}), dy_ = tensor({n_}), y_ = zeros({n_}, x_.options());
  Tensor first_ = zeros({n_}, {.dtype = dtype_of<A>, .device = device_});
  Tensor second_ = zeros({n_}, first_.options()), master_ = zeros({n_}, first_.options());
  Tensor weight_ = ones({kColumns}, x_.options()), bias_ = zeros({kColumns}, x_.options());
  Tensor dweight_ = tensor({kColumns}), dbias_ = tensor({kColumns});
  Tensor moments_ = ones({rows_, 3}, first_.options()), loss_ = zeros({rows_}, first_.options());
  Tensor max_ = zeros({rows_}, first_.options()), log_sum_ = ones({rows_}, first_.options());
  Tensor sum_scratch_ = workspace(sum_workspace_bytes<Machine, T>(1, n_, 1), device_);
  Tensor layer_norm_scratch_ =
      workspace(layer_norm_backward_workspace_bytes<Machine, T>(rows_, kColumns), device_);
  Tensor embedding_scratch_ =
      workspace(embedding_backward_workspace_bytes<Machine>(rows_, kColumns, vocabulary_), device_);
  Tensor ids_;
};

}  // namespace
}  // namespace crocuta::bench

int main(int argc, char** argv) {
  using namespace crocuta;
  try {
    const Device device = argc > 1 ? parse_device(argv[1], "bench_elementwise") : Device::cpu();
    const int bits = device.is_cpu() ? 22 : bench::is_emulated() ? 13 : 26;
    const std::int64_t elements = argc > 2 ? std::atoll(argv[2]) : std::int64_t{1} << bits;
    const std::int64_t rows = std::max<std::int64_t>(elements / bench::kColumns, 1);
    if (device.is_cpu()) {
      bench::Elementwise<kernels::Cpu, float>(device, rows).measure();
    } else {
#if defined(CROCUTA_WITH_CUDA)
      bench::Elementwise<kernels::Cuda, float>(device, rows).measure();
      bench::Elementwise<kernels::Cuda, bfloat16>(device, rows).measure();
#endif
    }
  } catch (const Error& error) {
    std::fprintf(stderr, "bench_elementwise: error: %s\n", error.what());
    return 1;
  }
}
