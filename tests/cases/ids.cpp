#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/ops/ops.h"
#include "kernels/philox.h"
#include "tests/cases/declared.h"

namespace crocuta::test {
namespace {

Tensor lookup(const Tensors& in) {
  const auto ids = in[0].to_vector<std::int64_t>();
  const auto table = in[1].to_vector<double>();
  const std::int64_t dim = in[1].size(1);
  std::vector<double> y;
  for (const std::int64_t id : ids) {
    for (std::int64_t j = 0; j < dim; ++j) y.push_back(table[index(id * dim + j)]);
  }
  Shape shape = in[0].shape();
  shape.push_back(dim);
  return from_vector(y, shape);
}

Declared declared_embedding() {
  const auto of = [](const Shape& ids, std::int64_t vocabulary, std::int64_t dim) {
    return OpCheck{.name = str("embedding", to_string(ids), " of ", vocabulary, " x ", dim),
                   .fn = [](const Tensors& in) { return embedding(in[0], in[1]); },
                   .oracle = lookup,
                   .inputs = {sample_ids(ids, vocabulary), sample({vocabulary, dim})},
                   .gradient = {.elements = 8}};
  };
  Declared d{.name = "embedding", .arguments = {"ids", "table"}};
  for (const std::int64_t dim : {1, 2, 7, 8, 17, 31, 63, 64, 65, 129}) {
    d.samples.push_back(of({11}, 5, dim));
  }
  d.samples.push_back(of({2, 3, 4}, 10, 6));
  d.samples.push_back(of({}, 10, 6));
  d.samples.push_back(of({257}, 1, 3));
  d.samples.push_back(of({0}, 5, 4));
  d.samples.push_back(of({3, 0}, 5, 4));
  d.samples.push_back(of({4}, 5, 0));
  d.sized = [=](std::int64_t n) { return of({n / 3}, 97, 3); };

  const auto outside = [](const char* got, std::vector<std::int64_t> ids, Shape shape) {
    return refusal<ArgumentError>(str("embedding: 'ids': expected values in [0, 16), got ", got),
                                  [=] {
                                    embedding(from_vector(ids, shape), zeros({16, 4}));
                                  });
  };
  const auto misfit = [](const char* message, const Shape& table) {
    return refusal<ShapeError>(message, [=] { embedding(arange(2), zeros(table)); });
  };
  // A transposed view is numbered as it is seen.
  const auto transposed = [] {
    embedding(transpose(from_vector<std::int64_t>({0, 1, 20, 3, 4, 5}, {2, 3}), 0, 1),
              zeros({16, 4}));
  };
  d.refusals = {outside("16 at [1, 1]", {0, 1, 2, 3, 16, -1}, {2, 3}),
                outside("-1 at [1]", {5, -1}, {2}),
                outside("99 at []", {99}, {}),
                refusal<ArgumentError>(
                    "embedding: 'ids': expected values in [0, 16), got 20 at [2, 0]", transposed),
                refusal<ArgumentError>("embedding: 'ids': expected values in [0, 0), got 0 at [0]",
                                       [] {
                                         embedding(arange(2), zeros({0, 4}));
                                       }),
                misfit("embedding: 'table': expected [vocabulary, dim], got [3]", {3}),
                misfit("embedding: 'table': expected [vocabulary, dim], got [3, 4, 5]", {3, 4, 5})};
  return d;
}

Fn cross_entropy_oracle(CrossEntropyOptions options) {
  return [options](const Tensors& in) {
    const auto x = in[0].to_vector<double>();
    const auto targets = in[1].to_vector<std::int64_t>();
    const auto n = index(in[0].size(-1));
    long double total = 0, counted = 0;
    for (std::size_t row = 0; row < targets.size(); ++row) {
      if (targets[row] == options.ignore_index) continue;
      const double* const logits = x.data() + row * n;
      const double largest = *std::max_element(logits, logits + n);
      long double sum = 0;
      for (std::size_t i = 0; i < n; ++i) sum += std::exp(logits[i] - largest);
      total += largest + std::log(sum) - logits[targets[row]];
      counted += 1;
    }
    if (options.divisor) {
      total /= *options.divisor;
    } else if (options.reduction == Reduction::mean && counted > 0) {
      total /= counted;
    }
    return full({}, static_cast<double>(total), {.dtype = DType::float64});
  };
}

OpCheck cross_entropy_of(const Shape& positions, std::int64_t classes,
                         const CrossEntropyOptions& options = {}) {
  Shape shape = positions;
  shape.push_back(classes);
  const auto count = static_cast<double>(element_count(positions));
  const bool averaged = options.divisor || options.reduction == Reduction::mean;
  return {.name = str("cross_entropy", to_string(shape)),
          .fn = [=](const Tensors& in) { return cross_entropy(in[0], in[1], options); },
          .oracle = cross_entropy_oracle(options),
          .inputs = {sample(shape, -3, 3), sample_ids(positions, classes, &options.ignore_index)},
          .rounding = 16,
          .scale = averaged ? 4 : 4 * std::sqrt(count),
          .gradient = {.elements = 8}};
}

Declared declared_cross_entropy() {
  const auto of = cross_entropy_of;
  Declared d{.name = "cross_entropy", .arguments = {"logits", "targets"}};
  for (const std::int64_t classes : {1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 257}) {
    d.samples.push_back(of({7}, classes, {}));
  }
  for (const Shape& positions : {Shape{2, 3, 4}, Shape{}, Shape{0}, Shape{2, 0}}) {
    d.samples.push_back(of(positions, 5, {}));
  }
  for (const CrossEntropyOptions& options :
       std::vector<CrossEntropyOptions>{{.reduction = Reduction::sum},
                                        {.divisor = 10.5},
                                        {.reduction = Reduction::sum, .divisor = 3},
                                        {.ignore_index = 4},
                                        {.ignore_index = 4, .reduction = Reduction::sum}}) {
    d.samples.push_back(of({23}, 6, options));
  }
  d.samples.push_back(of({2}, 5003, {}));
  d.sized = [=](std::int64_t n) { return of({n / 7}, 7, {}); };
  for (const double factor : {0x1p10, 0x1p100, 0x1p-100, 0x1p1000}) {
    d.extremes.push_back(enlarged(of({7}, 37, {}), factor, false));
  }

  const auto outside = [](const char* what, std::vector<std::int64_t> targets,
                          CrossEntropyOptions options) {
    return refusal<ArgumentError>(
        str("cross_entropy: 'targets': expected values in [0, 4) or ", what), [=] {
          cross_entropy(zeros({2, 3, 4}), from_vector(targets, {2, 3}), options);
        });
  };
  d.refusals = {
      outside("-100 (ignored), got 4 at [1, 1]", {0, 1, 2, 3, 4, -1}, {}),
      outside("-100 (ignored), got -1 at [0, 1]", {0, -1, 2, 3, 4, 5}, {}),
      outside("7 (ignored), got -100 at [1, 2]", {0, 0, 0, 0, 0, -100}, {.ignore_index = 7}),
      refusal<ShapeError>("cross_entropy: 'targets': expected [3] for these logits, got [4]",
                          [] {
                            cross_entropy(zeros({3, 4}), arange(4));
                          }),
      refusal<ShapeError>("cross_entropy: 'logits': expected [..., classes], got []",
                          [] { cross_entropy(zeros({}), arange(1)); })};
  for (const double divisor : {0.0, -1.0, std::numeric_limits<double>::quiet_NaN()}) {
    d.refusals.push_back(refusal<ArgumentError>(
        str("cross_entropy: 'divisor': expected a positive number, got ", divisor), [=] {
          cross_entropy(zeros({3, 4}), arange(3), {.divisor = divisor});
        }));
  }
  return d;
}

constexpr RandomKey kKey = {3, 8};

// Element i survives where number i of the stream is at least p.
Fn dropout_oracle(double p, std::size_t first = 0) {
  return [=](const Tensors& in) {
    std::vector<double> x = in[0].to_vector<double>();
    for (std::size_t i = 0; i < x.size(); ++i) {
      const double u = kernels::philox(kKey.seed, kKey.stream, first + i) * 0x1p-32;
      x[i] = u >= p ? x[i] / (1 - p) : 0;
    }
    return from_vector(x, in[0].shape());
  };
}

Declared declared_dropout() {
  const auto of = [](const Shape& shape, double p) {
    return OpCheck{.name = str("dropout", to_string(shape), " p ", p),
                   .fn = [p](const Tensors& in) { return dropout(in[0], p, kKey); },
                   .oracle = dropout_oracle(p),
                   .inputs = {sample(shape)},
                   .gradient = {.elements = 8}};
  };
  Declared d{.name = "dropout", .arguments = {"x"}};
  for (const std::int64_t n : {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 1023, 1025, 4099}) {
    d.samples.push_back(of({n}, 0.25));
  }
  d.samples.push_back(of({3, 5, 7}, 0.5));
  d.samples.push_back(of({}, 0.5));
  d.samples.push_back(of({0}, 0.5));
  d.samples.push_back(of({3, 5}, 0));
  OpCheck shard = of({5, 7}, 0.4);  // rows 2 to 6 of 9
  shard.fn = [](const Tensors& in) {
    return dropout(in[0], 0.4, kKey, {.dim = 0, .length = 9, .first = 2});
  };
  shard.oracle = dropout_oracle(0.4, 14);
  d.samples.push_back(shard);
  d.sized = [=](std::int64_t n) { return of({n}, 0.1); };

  for (const double p : {-0.1, 1.1, std::numeric_limits<double>::quiet_NaN()}) {
    d.refusals.push_back(
        refusal<ArgumentError>(str("dropout: 'p': expected a number in [0, 1], got ", p),
                               [=] { dropout(zeros({2}), p, kKey); }));
  }
  const auto of_shard = [](const Shard& part) { dropout(zeros({2, 3, 4}), 0.5, kKey, part); };
  for (const std::int64_t first : {3, -1}) {
    d.refusals.push_back(refusal<ArgumentError>(
        str("dropout: 'shard': expected a range of 3 within a length of 5, got one that begins at ",
            first),
        [=] { of_shard({.length = 5, .first = first}); }));
  }
  d.refusals.push_back(refusal<ShapeError>("dropout: 'positions': expected [3], got [2]", [=] {
    of_shard({.length = 5, .positions = arange(2)});
  }));
  d.refusals.push_back(
      refusal<ArgumentError>("dropout: 'positions': expected values in [0, 2), got 2 at [2]",
                             [=] { of_shard({.length = 2, .positions = arange(3)}); }));
  const std::vector<Device> devices = test_devices();
  if (devices.size() > 1) {
    d.refusals.push_back(refusal<DeviceError>(
        str("dropout: 'positions': expected ", devices[0], ", got ", devices[1]), [=] {
          dropout(ones({2, 3}, {.device = devices[0]}), 0.5, kKey,
                  {.dim = 0, .length = 2, .positions = arange(2).to(devices[1])});
        }));
  }
  return d;
}

}  // namespace

std::vector<Declared> declared_ids() {
  return {declared_embedding(), declared_cross_entropy(), declared_dropout()};
}

}  // namespace crocuta::test
