#include "framework/nn/gradient_norm.h"

#include <cmath>

#include "framework/device/threads.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {
Tensor with_gradient(const Tensor& grad) {
  const Tensor p = zeros(grad.shape(), grad.options());
  p.set_requires_grad();
  p.set_grad(grad);
  return p;
}
}  // namespace

TEST_CASE("the squared norm is the sum of squares, in double") {
  for (const std::int64_t n : {0, 1, 7, 8, 9, 16384, 16385, 100'000}) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      const Tensor x = sample({n}).to(dtype);
      double expected = 0;
      for (const double v : x.to_vector<double>()) expected += v * v;
      CHECK(squared_norm(x).item() == Approx(expected).epsilon(1e-12));
      CHECK(squared_norm(x).dtype() == DType::float64);
    }
  }
  // Neither overflows in the dtype's own range, nor is a small term lost beside a large one.
  CHECK(squared_norm(full({4}, 1e30)).item() == Approx(4e60).epsilon(1e-6));
  CHECK(squared_norm(tensor({4096, 1e-3})).item() == Approx(16777216.000001).epsilon(1e-15));
  CHECK(squared_norm(transpose(sample({3, 5}), 0, 1)).item() ==
        Approx(squared_norm(sample({3, 5})).item()));
  CHECK(std::isnan(squared_norm(tensor({1, NAN})).item()));
  CHECK(std::isinf(squared_norm(tensor({1, INFINITY})).item()));
}

TEST_CASE("the squared norm has the same bits at any thread count") {
  const NumThreads restored(1);
  const Tensor x = sample({123'457});
  const double one = squared_norm(x).item();
  for (const int threads : {2, 3, 4}) {
    set_num_threads(threads);
    CHECK(squared_norm(x).item() == one);
  }
}

TEST_CASE("the gradient norm covers all parameters that have one") {
  const Tensor without = ones({3});
  without.set_requires_grad();
  const std::vector<Tensor> parameters = {with_gradient(tensor({3, 0})), without,
                                          with_gradient(full({4}, 2, {.dtype = DType::float64}))};
  CHECK(gradient_norm(parameters) == 5);
  CHECK(gradient_norm({without}) == 0);
  CHECK(gradient_norm({}) == 0);
}

TEST_CASE("the gradient norm is right where squares overflow or vanish") {
  for (const double size : {1e200, 1e300, 1e-200, 1e-300}) {
    const Tensor wide = with_gradient(full({4}, 3 * size, {.dtype = DType::float64}));
    CHECK(gradient_norm({wide}) == Approx(6 * size).epsilon(1e-14));
    CHECK(clip_grad_norm({wide}, size) == Approx(6 * size).epsilon(1e-14));
    if (size > 1) CHECK(gradient_norm({wide}) == Approx(size).epsilon(1e-14));
    // Beside float32, which cannot hold the scale.
    const Tensor narrow = with_gradient(tensor({1e30, 1e-30}));
    const double both = gradient_norm({narrow, with_gradient(full({1}, 1e300, {DType::float64}))});
    CHECK(both == Approx(1e300).epsilon(1e-14));
  }
  CHECK(gradient_norm({with_gradient(full({4}, 3e38))}) == Approx(6e38).epsilon(1e-6));
  CHECK(gradient_norm({with_gradient(full({4}, 1e-45))}) == Approx(2.8e-45).epsilon(1e-2));
  CHECK(gradient_norm({with_gradient(zeros({4}))}) == 0);
  CHECK(std::isinf(gradient_norm({with_gradient(tensor({1, INFINITY}))})));
  CHECK(std::isnan(gradient_norm({with_gradient(tensor({INFINITY, NAN}))})));
}

TEST_CASE("clipping scales gradients above the limit and leaves others") {
  const Tensor shared = tensor({3, 4});
  const Tensor a = with_gradient(shared), b = with_gradient(tensor({0, 12}));
  CHECK(clip_grad_norm({a, b}, 20) == 13);
  CHECK(a.grad().is_same(shared));
  CHECK(clip_grad_norm({a, b}, 6.5) == 13);
  const std::vector<double> scaled = a.grad().to_vector<double>();
  CHECK(scaled[0] == Approx(1.5).epsilon(1e-6));
  CHECK(scaled[1] == Approx(2).epsilon(1e-6));
  CHECK(b.grad().to_vector<double>()[1] == Approx(6).epsilon(1e-6));
  CHECK(shared.to_vector<double>() == std::vector<double>{3, 4});  // not changed in place
  CHECK(gradient_norm({a, b}) <= 6.5);
}

TEST_CASE("a norm that is not finite is returned and changes nothing") {
  const Tensor a = with_gradient(tensor({1, NAN})), b = with_gradient(tensor({2}));
  CHECK(std::isnan(clip_grad_norm({a, b}, 1)));
  CHECK(b.grad().item() == 2);
  CHECK(clip_factor(INFINITY, 1) == 1);
}

TEST_CASE("the clip factor never exceeds one, and wants a positive limit") {
  CHECK(clip_factor(0.5, 1) == 1);
  CHECK(clip_factor(0, 1) == 1);
  CHECK(clip_factor(4, 1) == Approx(0.25).epsilon(1e-6));
  CHECK(message_of<ArgumentError>([] { clip_factor(1, 0); }) ==
        "clip_factor: 'max_norm': expected above 0, got 0");
  CHECK(message_of<ArgumentError>([] { clip_factor(1, NAN); }) ==
        "clip_factor: 'max_norm': expected above 0, got nan");
}
