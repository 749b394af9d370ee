// Every op and every layer as its tests declare it (tests/cases/), forward and with its backward
// pass, against a copy of as many elements. What is slow here for its size deserves a benchmark of
// its own.
//
//   bench_ops [name ...] [--elements n]     # all, on the default device, of about 2^20 elements
#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_RUNNER  // Catch2 2 lives in a program of its choice; this one has its own main
#endif
#include "tests/support/catch.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "bench/harness.h"
#include "framework/tensor/autograd.h"
#include "tests/cases/declared.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

// The sample's inputs as float32 leaves on the default device.
Tensors leaves(const OpCheck& sample, bool recorded) {
  Tensors result;
  for (const Tensor& x : sample.inputs) {
    const bool floating = is_floating(x.dtype());
    result.push_back((floating ? x.to(DType::float32) : x).detach());
    if (recorded && floating) result.back().set_requires_grad();
  }
  return result;
}

void finish() {
  synchronize(default_device());
}

void measure(const Declared& declared, std::int64_t elements) {
  const OpCheck sample = declared.sized(elements);
  const Tensors plain = leaves(sample, false), recorded = leaves(sample, true);
  const Tensor source = ones({elements});
  const Tensor y = sample.fn(plain), dy = ones(y.shape(), y.options());
  std::vector<bench::Candidate> candidates = {{"copy",
                                               [&] {
                                                 source.clone();
                                                 finish();
                                               }},
                                              {"forward", [&] {
                                                 sample.fn(plain);
                                                 finish();
                                               }}};
  if (sample.differentiable) {
    candidates.push_back({"both", [&] {
                            for (const Tensor& x : recorded) x.set_grad({});
                            sample.fn(recorded).backward(dy);
                            finish();
                          }});
  }
  const std::vector<bench::Timing> t = bench::compare(candidates, 5, 0.01);
  std::printf("%-28s %10.3f %8.2f", declared.name.c_str(), t[1].median * 1e3,
              t[1].median / t[0].median);
  if (sample.differentiable) {
    std::printf(" %10.3f %8.2f", t[2].median * 1e3, t[2].median / t[0].median);
  }
  std::printf("\n");
}

}  // namespace

int main(int argc, char** argv) {
  std::int64_t elements = std::int64_t{1} << 20;
  std::vector<std::string> names;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--elements" && i + 1 < argc) {
      elements = std::max(std::atoll(argv[++i]), 1000LL);
    } else {
      names.push_back(argv[i]);
    }
  }
  std::printf("%s, %s, float32, about %lld elements\n", bench::machine().c_str(),
              name(default_device()).c_str(), static_cast<long long>(elements));
  std::printf("%-28s %10s %8s %10s %8s\n", "", "forward ms", "x copy", "both ms", "x copy");
  for (const auto& list : {declared_ops(), declared_layers()}) {
    for (const Declared& d : list) {
      if (names.empty() || std::find(names.begin(), names.end(), d.name) != names.end()) {
        measure(d, elements);
      }
    }
  }
}
