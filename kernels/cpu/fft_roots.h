// Roots of unity that do not depend on the C library.
#pragma once

#include <cstdint>
#include <vector>

namespace crocuta::kernels {

// exp(2 pi i t / order) for any t, each part correctly rounded to double but for ties that are
// closer than 2^-100. Only sums and products of doubles go into it, so that every machine gets the
// same bits. `order` is a multiple of 8.
class RootsOfUnity {
 public:
  struct Root {
    double re, im;
  };

  explicit RootsOfUnity(std::int64_t order);
  Root operator()(std::int64_t t) const;  // t >= 0

  // A number as the unevaluated sum of two doubles, the second below half a unit of the first.
  struct Wide {
    double high, low;
  };
  struct WideRoot {
    Wide re, im;
  };

 private:
  // Roots t = coarse * step + fine are products of one from each table, of about sqrt(order) each.
  std::int64_t order_, step_;
  std::vector<WideRoot> fine_, coarse_;
};

}  // namespace crocuta::kernels
