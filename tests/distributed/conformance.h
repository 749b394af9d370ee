// One suite for every backend: each case is what one rank does, and holds for any number of ranks,
// with tensors on the default device. Run by test_process_group.cpp on rank threads, by
// mpi_program.cpp on processes, and by test_nccl.cpp on one GPU.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "distributed/process_group.h"
#include "framework/ops/ops.h"
#include "tests/support/bits.h"

namespace crocuta::test {

struct ConformanceCase {
  const char* name;
  void (*run)(const ProcessGroup& world);
};
std::vector<ConformanceCase> value_cases();
std::vector<ConformanceCase> gradient_cases();
std::vector<ConformanceCase> error_cases();

inline std::vector<ConformanceCase> conformance_cases() {
  std::vector<ConformanceCase> all = value_cases();
  for (const auto& more : {gradient_cases(), error_cases()}) {
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

// Catch2's assertions belong to one thread of one process; on a rank a failed expectation throws.
struct ExpectationFailed : std::runtime_error {
  using std::runtime_error::runtime_error;
};
inline void expect(bool holds, const char* what, const char* file, int line) {
  if (!holds) throw ExpectationFailed(str(file, ":", line, ": expected ", what));
}
#define EXPECT(...) ::crocuta::test::expect((__VA_ARGS__), #__VA_ARGS__, __FILE__, __LINE__)

// f() throws an E whose message holds all of `texts`.
template <class E>
void expect_throw(const std::function<void()>& f, const std::vector<std::string>& texts) {
  try {
    f();
  } catch (const E& error) {
    const std::string message = error.what();
    for (const std::string& text : texts) {
      if (message.find(text) == std::string::npos) {
        throw ExpectationFailed(str("expected '", text, "' in the message: ", message));
      }
    }
    return;
  } catch (const Error& error) {
    throw ExpectationFailed(str("expected another type of error than this: ", error.what()));
  }
  throw ExpectationFailed(str("expected an error with '", texts.empty() ? "" : texts[0], "'"));
}

inline constexpr DType kAllDTypes[] = {DType::float32, DType::float64, DType::bfloat16,
                                       DType::float16, DType::int64,   DType::int32};

// Numbers that look random, the same for the same seed and rank on every rank. Whole numbers for
// the integer types; otherwise of very different sizes, so that the order of a sum shows.
Tensor rank_values(int seed, int rank, Shape shape, DType dtype);

}  // namespace crocuta::test
