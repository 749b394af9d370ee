#include "kernels/cpu/fft_plan.h"

#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>

#include "kernels/cpu/fft_passes.h"
#include "kernels/cpu/fft_roots.h"

namespace crocuta::kernels {
namespace {

using std::int64_t;

// The odd radices first, so that blocks of later passes, cut off anywhere, begin with a group of
// 16 rows. One 8 less and two 4 instead of a last 2, if there is an 8.
std::vector<int> radices(int64_t rows) {
  std::vector<int> found;
  for (const int odd : {3, 5}) {
    for (; rows % odd == 0; rows /= odd) found.push_back(odd);
  }
  while (rows > 1) {
    const int radix = rows == 16 ? 4 : static_cast<int>(std::min<int64_t>(rows, 8));
    found.push_back(radix);
    rows /= radix;
  }
  return found;
}
}  // namespace

template <class R>
FftPlan<R>::FftPlan(int64_t n) : n_(n) {
  // The factor c^s of a block of frequency f, of which there are `blocks` and which is cut into
  // `radix`, is exp(2 pi i s (4 f + 1) / (4 blocks radix)).
  const RootsOfUnity roots(4 * n);
  const auto factor = [&](int64_t s, int64_t frequency, int64_t pieces) {
    return roots(s * (4 * frequency + 1) * (n / pieces));
  };
  int64_t blocks = 1;
  for (const int radix : radices(rows())) {
    Pass pass{radix, blocks, rows() / blocks, {}};
    for (int64_t block = 0; block < blocks; ++block) {
      const int64_t f = block_frequency(passes_.size(), block);
      for (int64_t s = 1; s < radix; ++s) {
        const auto [re, im] = factor(s, f, blocks * radix);
        pass.factors.insert(pass.factors.end(), {static_cast<R>(re), static_cast<R>(im)});
      }
    }
    passes_.push_back(std::move(pass));
    blocks *= radix;
  }
  last_factors_.resize(static_cast<std::size_t>(groups() * (kColumns - 1)));
  for (int64_t row = 0; row < rows(); ++row) {
    const int64_t f = block_frequency(passes_.size(), row);
    for (int64_t s = 1; s < kColumns; ++s) {
      const auto [re, im] = factor(s, f, n);
      const int64_t at = row / kColumns * (kColumns - 1) + s - 1;
      Lanes& lanes = last_factors_[static_cast<std::size_t>(at)];
      lanes.re[row % kColumns] = static_cast<R>(re);
      lanes.im[row % kColumns] = static_cast<R>(im);
    }
  }
}

template <class R>
int64_t FftPlan<R>::block_frequency(std::size_t pass, int64_t block) const {
  int64_t f = 0;
  while (pass-- > 0) {
    f += block % passes_[pass].radix * passes_[pass].blocks;
    block /= passes_[pass].radix;
  }
  return f;
}

template <class R>
int64_t FftPlan<R>::frequency(int64_t group, int64_t k, int64_t row) const {
  return block_frequency(passes_.size(), group * kColumns + row) + k * rows();
}

template <class R>
void RightAngleFft<R>::run(const R* x, R* spectrum, R* product, R* y, PieceFunction piece,
                           const void* f) const {
  const fft::Passes<fft::Lanes<R>, R> passes(plan_);
  passes.run(x, spectrum, product, y, [&](int64_t begin, int64_t end) {
    if (piece != nullptr) piece(f, begin, end);
  });
}

int64_t right_angle_fft_size(int64_t length) {
  int64_t best = std::numeric_limits<int64_t>::max();
  for (int64_t f : {1, 3, 5, 9, 15}) {
    f *= 16;
    while (f < length) f *= 2;
    best = std::min(best, f);
  }
  return best;
}

int64_t right_angle_spectrum_size(int64_t length) {
  const int64_t n = right_angle_fft_size(length);
  return 2 * ((n + 255) / 256 * 256);
}

template <class R>
const RightAngleFft<R>& right_angle_fft(int64_t length) {
  static std::map<int64_t, std::unique_ptr<const RightAngleFft<R>>> plans;
  static std::mutex mutex;
  const int64_t n = right_angle_fft_size(length);
  const std::lock_guard lock(mutex);
  auto& plan = plans[n];
  if (!plan) plan = std::make_unique<const RightAngleFft<R>>(n);
  return *plan;
}

template class FftPlan<float>;
template class FftPlan<double>;
template class RightAngleFft<float>;
template class RightAngleFft<double>;
template const RightAngleFft<float>& right_angle_fft<float>(int64_t);
template const RightAngleFft<double>& right_angle_fft<double>(int64_t);

}  // namespace crocuta::kernels
