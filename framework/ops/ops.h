// The list of ops: pure functions of tensors, each with its gradient. Operands of one op share
// their dtype and device, or it throws DTypeError or DeviceError; sizes that do not fit throw
// ShapeError. Dimensions count from 0, or from the end when negative.
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <vector>

#include "framework/tensor/autograd.h"
#include "framework/tensor/random.h"
#include "framework/tensor/tensor.h"

namespace crocuta {

// ---- arithmetic (ops/arithmetic.cpp); shapes broadcast as in NumPy ----
Tensor add(const Tensor& a, const Tensor& b);
Tensor sub(const Tensor& a, const Tensor& b);
Tensor mul(const Tensor& a, const Tensor& b);
Tensor div(const Tensor& a, const Tensor& b);  // floating dtypes
// scale * x + shift, for numbers; floating dtypes (ops/unary.cpp)
Tensor affine(const Tensor& x, double scale, double shift);
Tensor neg(const Tensor& x);

inline Tensor operator+(const Tensor& a, const Tensor& b) {
  return add(a, b);
}
inline Tensor operator-(const Tensor& a, const Tensor& b) {
  return sub(a, b);
}
inline Tensor operator*(const Tensor& a, const Tensor& b) {
  return mul(a, b);
}
inline Tensor operator/(const Tensor& a, const Tensor& b) {
  return div(a, b);
}
inline Tensor operator-(const Tensor& x) {
  return neg(x);
}
inline Tensor operator+(const Tensor& x, double c) {
  return affine(x, 1, c);
}
inline Tensor operator+(double c, const Tensor& x) {
  return affine(x, 1, c);
}
inline Tensor operator-(const Tensor& x, double c) {
  return affine(x, 1, -c);
}
inline Tensor operator-(double c, const Tensor& x) {
  return affine(x, -1, c);
}
inline Tensor operator*(const Tensor& x, double c) {
  return affine(x, c, 0);
}
inline Tensor operator*(double c, const Tensor& x) {
  return affine(x, c, 0);
}
inline Tensor operator/(const Tensor& x, double c) {
  return affine(x, 1 / c, 0);
}
inline Tensor operator/(double c, const Tensor& x) {
  return div(full({}, c, x.options()), x);
}

// ---- convolution (ops/depthwise_conv1d.cpp) ----
struct DepthwiseConv1dOptions {
  bool causal = false;                                    // else "same" padding
  std::optional<std::int64_t> hidden_dim = std::nullopt;  // all channels; none: x holds them all
  std::int64_t channel_offset = 0;                        // x's first channel among them
};
// x [B, C, L], weight [G, K], bias [G] or undefined → [B, C, L]; floating dtypes:
//
//   y[b,c,t] = bias[g(c)] + sum_{k<K} weight[g(c),k] * x[b, c, t + k - left]
//
// with g(c) = (channel_offset + c) / (hidden_dim / G) and left = causal ? K-1 : (K-1)/2; terms
// outside [0, L) are left out. Gradients of weight and bias are those of x's channels, other rows
// zero. Throws ArgumentError unless G divides hidden_dim and x's channels lie within it.
Tensor depthwise_conv1d(const Tensor& x, const Tensor& weight, const Tensor& bias = Tensor(),
                        const DepthwiseConv1dOptions& options = {});

// ---- functions of each element (ops/unary.cpp); floating dtypes ----
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
// 1 / sqrt(x)
Tensor rsqrt(const Tensor& x);
Tensor sin(const Tensor& x);
Tensor cos(const Tensor& x);
Tensor tanh(const Tensor& x);
// |x|; its gradient at 0 is 0
Tensor abs(const Tensor& x);
// x * x
Tensor square(const Tensor& x);
// x to the power of a number
Tensor pow(const Tensor& x, double exponent);
// max(x, 0); its gradient at 0 is 0
Tensor relu(const Tensor& x);
// 1 / (1 + exp(-x))
Tensor sigmoid(const Tensor& x);
// log(1 + exp(x)) = -log(sigmoid(-x)), to all its digits also where it is small
Tensor softplus(const Tensor& x);
// x * sigmoid(x)
Tensor silu(const Tensor& x);
// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))): Hendrycks and Gimpel, 2016,
// arXiv 1606.08415, in its tanh form
Tensor gelu(const Tensor& x);
// x limited to [low, high]; no gradient flows outside
Tensor clamp(const Tensor& x, double low, double high);

// ---- shape (ops/shape.cpp); results are views wherever strides can express them ----
// The same elements in row-major order under another shape; one size may be -1 (worked out).
Tensor reshape(const Tensor& x, Shape shape);
// Dimensions a and b exchanged.
Tensor transpose(const Tensor& x, int a, int b);
// Dimension i of the result is dimension order[i] of x.
Tensor permute(const Tensor& x, const std::vector<int>& order);
// Elements [start, start + length) of dimension dim.
Tensor narrow(const Tensor& x, int dim, std::int64_t start, std::int64_t length);
// Every step-th element of dimension dim from start to before stop: Python's x[start:stop:step].
// Negative start and stop count from the end; both are brought into the dimension. step > 0.
Tensor slice(const Tensor& x, int dim, std::int64_t start, std::int64_t stop,
             std::int64_t step = 1);
// Element `index` of dimension dim, which disappears; a negative index counts from the end.
Tensor select(const Tensor& x, int dim, std::int64_t index);
// A dimension of size 1 put in before dimension dim, or taken out.
Tensor unsqueeze(const Tensor& x, int dim);
Tensor squeeze(const Tensor& x, int dim);
// Stretched to `shape` as broadcasting would.
Tensor expand(const Tensor& x, const Shape& shape);
// Joined along dim; the other sizes agree.
Tensor cat(const std::vector<Tensor>& xs, int dim);
// Joined along a new dimension dim; all sizes agree.
Tensor stack(const std::vector<Tensor>& xs, int dim);
// Views of `size` elements of dimension dim each, and of what is left at the end; of no elements,
// one view.
std::vector<Tensor> split(const Tensor& x, std::int64_t size, int dim);
// At most `count` of them, all but the last as long as each other.
std::vector<Tensor> chunk(const Tensor& x, std::int64_t count, int dim);
// Each element of dimension dim `repeats` times in a row: [a, b] → [a, a, b, b].
Tensor repeat_interleave(const Tensor& x, std::int64_t repeats, int dim);

// ---- matrix products (ops/matmul.cpp, ops/linear.cpp); any thread count gives the same bits ----
// a [..., m, k] b [..., k, n] → [..., m, n]; the leading dimensions broadcast. Transposed views are
// multiplied as they are.
Tensor matmul(const Tensor& a, const Tensor& b);
// y = x weight^T + bias: x [..., in], weight [out, in], bias [out] or undefined → [..., out].
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
// The same with channels before positions on one side, without transposing after or before:
// x [B, L, in] → [B, out, L], and x [B, in, L] → [B, L, out].
Tensor linear_to_channels(const Tensor& x, const Tensor& weight, const Tensor& bias = {});
Tensor linear_from_channels(const Tensor& x, const Tensor& weight, const Tensor& bias = {});

// ---- long convolutions (ops/fft_conv.cpp) ----
// Causal convolution as long as the input: z [B, C, L], k [C, L], skip [C] or undefined →
// y[b, c, t] = sum over j <= t of k[c, j] z[b, c, t - j] + skip[c] z[b, c, t], [B, C, L]. Computed
// by FFT in float32 or better; k and skip may have z's dtype or, if that is 16-bit, float32.
Tensor fft_conv(const Tensor& z, const Tensor& k, const Tensor& skip = {});
// Hyena's gates around it (Poli et al. 2023, order 2): channel 3c + p of u [B, 3C, L] is stream p
// of x0, x1, v → x0 * fft_conv(x1 * v, k, skip), [B, C, L].
Tensor hyena_conv(const Tensor& u, const Tensor& k, const Tensor& skip = {});

// ---- reductions (ops/reduce.cpp); the order of summation is fixed by the sizes ----
// The sum of all elements, shape [].
Tensor sum(const Tensor& x);
// The sum over the given dimensions, which become 1 (keepdim) or disappear.
Tensor sum(const Tensor& x, const std::vector<int>& dims, bool keepdim = false);
template <std::same_as<int> Dim>
Tensor sum(const Tensor& x, Dim dim, bool keepdim = false) {
  return sum(x, std::vector<int>{dim}, keepdim);
}
// Not finite where partial sums overflow: those of x's dtype, of float32 for the 16-bit ones.
Tensor mean(const Tensor& x);
Tensor mean(const Tensor& x, const std::vector<int>& dims, bool keepdim = false);
template <std::same_as<int> Dim>
Tensor mean(const Tensor& x, Dim dim, bool keepdim = false) {
  return mean(x, std::vector<int>{dim}, keepdim);
}
// The squared differences from the mean, summed and divided by their number less `correction`
// (1: Bessel's), which is to be positive; and its root.
Tensor var(const Tensor& x, const std::vector<int>& dims, std::int64_t correction = 1,
           bool keepdim = false);
Tensor std(const Tensor& x, const std::vector<int>& dims, std::int64_t correction = 1,
           bool keepdim = false);
// Summed over the dimensions in which broadcasting stretched `shape` to x's: expand's transpose.
Tensor sum_to(const Tensor& x, const Shape& shape);

// The largest element along dim, which disappears. Its gradient goes to the first of them. NaN is
// larger than any number; where all are -infinity, the first of them is the largest.
Tensor max(const Tensor& x, int dim);
// Of all elements, shape [].
Tensor max(const Tensor& x);
// Where it is: int64, outside the graph.
Tensor argmax(const Tensor& x, int dim);
// The same of the smallest; NaN is smaller than any number.
Tensor min(const Tensor& x, int dim);
Tensor min(const Tensor& x);
Tensor argmin(const Tensor& x, int dim);
// The sum of squares of all elements, a float64 number outside the graph.
Tensor squared_norm(const Tensor& x);

// ---- over the last dimension (ops/softmax.cpp, ops/layer_norm.cpp) ----
// exp(x) / sum exp(x). A row that holds NaN or +infinity, or nothing but -infinity, is NaN
// throughout.
Tensor softmax(const Tensor& x);
// log(softmax(x)), without the rounding of softmax
Tensor log_softmax(const Tensor& x);
// Along another dimension.
Tensor softmax(const Tensor& x, int dim);
Tensor log_softmax(const Tensor& x, int dim);
// log(sum exp(x)) along dim, which becomes 1 (keepdim) or disappears.
Tensor logsumexp(const Tensor& x, int dim, bool keepdim = false);
// (x - mean) / sqrt(variance + eps) * weight + bias: Ba, Kiros and Hinton, 2016, arXiv 1607.06450.
// weight and bias [n], n the size of x's last dimension. Holds for all finite x, those whose
// squares overflow or vanish included; a row with NaN or an infinity is NaN throughout.
Tensor layer_norm(const Tensor& x, const Tensor& weight, const Tensor& bias, double eps = 1e-5);

// ---- ids (ops/embedding.cpp, ops/cross_entropy.cpp) ----
// Row ids[...] of table [vocabulary, dim] for each id: ids [...], int64 → [..., dim]. Throws
// ArgumentError, naming the first id outside the table.
Tensor embedding(const Tensor& ids, const Tensor& table);

enum class Reduction { mean, sum };
struct CrossEntropyOptions {
  std::int64_t ignore_index = -100;  // positions with this target do not count
  Reduction reduction = Reduction::mean;
  // If given, the sum is divided by this instead of by the number of positions that count: under
  // context or data parallelism, the number over all ranks.
  std::optional<double> divisor = {};
};
// -log softmax(logits)[target], averaged or summed over positions: logits [..., classes], targets
// [...] int64 → a number, 0 if no position counts. Computed and returned in float32 for the 16-bit
// dtypes; NaN where log_softmax of a position that counts is. Throws ArgumentError, naming the
// first target outside the classes.
Tensor cross_entropy(const Tensor& logits, const Tensor& targets,
                     const CrossEntropyOptions& options = {});

// ---- dropout (ops/dropout.cpp) ----
// Which part of a longer tensor x is: it covers `length` along dimension `dim`, of which x holds
// the indices from `first` on, or those listed in `positions` (int64, one per index of x).
struct Shard {
  int dim = -2;
  std::int64_t length = 0;
  std::int64_t first = 0;
  Tensor positions = {};
};
// Each element is 0 with probability p, else divided by 1 - p: Srivastava et al., JMLR 2014. What
// is dropped depends on the key and on an element's index, in the whole tensor if x is a shard.
Tensor dropout(const Tensor& x, double p, RandomKey key);
Tensor dropout(const Tensor& x, double p, RandomKey key, const Shard& shard);

}  // namespace crocuta
