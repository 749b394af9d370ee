#include "distributed/gradient_sync.h"

#include <cstring>
#include <map>
#include <string_view>

#include "distributed/agreement.h"
#include "framework/ops/ops.h"

namespace crocuta {
namespace {

// The type in which gradients of this type travel and are summed.
DType sum_dtype(DType dtype) {
  return dtype == DType::bfloat16 || dtype == DType::float16 ? DType::float32 : dtype;
}

void sync_same_dtype(const std::vector<Tensor>& parameters, const ProcessGroup& group) {
  std::int64_t total = 0;
  for (const Tensor& parameter : parameters) total += parameter.numel();
  const Tensor& first = parameters.front();
  const Tensor flat = zeros({total}, {sum_dtype(first.dtype()), first.device()});
  std::int64_t at = 0;
  for (const Tensor& parameter : parameters) {
    const std::int64_t n = parameter.numel();
    const Tensor grad = parameter.grad();
    if (grad.defined()) narrow(flat, 0, at, n).copy_(reshape(grad, {n}));
    at += n;
  }
  const Tensor sum = group.all_reduce(flat);
  at = 0;
  for (const Tensor& parameter : parameters) {
    const std::int64_t n = parameter.numel();
    // A tensor of its own: the old gradient may share its elements with another's.
    const Tensor grad = empty(parameter.shape(), parameter.options());
    grad.copy_(reshape(narrow(sum, 0, at, n), parameter.shape()));
    parameter.set_grad(grad);
    at += n;
  }
}

// Fowler, Noll and Vo's FNV-1a, taken over words of 8 bytes and a tail, with a final mix: cheap,
// and any changed bit changes it. Against accidents, not attackers.
class Hash {
 public:
  void add(const void* data, std::size_t bytes) {
    const auto* p = static_cast<const unsigned char*>(data);
    for (; bytes >= 8; bytes -= 8, p += 8) {
      std::uint64_t word;
      std::memcpy(&word, p, 8);
      mix(word);
    }
    for (; bytes > 0; --bytes, ++p) mix(*p);
  }
  void add(std::int64_t value) { mix(static_cast<std::uint64_t>(value)); }
  std::int64_t value() const { return static_cast<std::int64_t>(state_); }

 private:
  void mix(std::uint64_t word) {
    state_ = (state_ ^ word) * 0x100000001b3u;
    state_ ^= state_ >> 32;
  }
  std::uint64_t state_ = 0xcbf29ce484222325u;
};

std::int64_t hash_of(const NamedTensor& parameter) {
  const Tensor values = parameter.tensor.detach().to(Device::cpu()).contiguous();
  Hash hash;
  hash.add(parameter.name.data(), parameter.name.size());
  hash.add(static_cast<std::int64_t>(values.dtype()));
  for (const std::int64_t size : values.shape()) hash.add(size);
  hash.add(values.raw_data(), static_cast<std::size_t>(values.numel()) * size_of(values.dtype()));
  return hash.value();
}

// The values of all ranks; element [r] is rank r's.
std::vector<std::vector<std::int64_t>> gather(const std::vector<std::int64_t>& mine,
                                              const ProcessGroup& group) {
  const auto n = static_cast<std::int64_t>(mine.size());
  const auto all =
      group.all_gather(from_vector(mine, {n}, Device::cpu())).to_vector<std::int64_t>();
  std::vector<std::vector<std::int64_t>> rows;
  for (int r = 0; r < group.size(); ++r) {
    rows.emplace_back(all.begin() + r * n, all.begin() + (r + 1) * n);
  }
  return rows;
}

}  // namespace

void sync_gradients(const std::vector<Tensor>& parameters, const ProcessGroup& group) {
  const NoGrad no_grad;
  std::map<DType, std::vector<Tensor>> by_dtype;
  for (const Tensor& parameter : parameters) {
    if (!parameter.requires_grad()) continue;
    if (group.size() > 1) {
      by_dtype[parameter.dtype()].push_back(parameter);
    } else if (!parameter.grad().defined()) {
      parameter.set_grad(zeros(parameter.shape(), parameter.options()));
    }
  }
  for (const auto& [dtype, same] : by_dtype) sync_same_dtype(same, group);
}

void check_same_parameters(const std::vector<NamedTensor>& parameters, const ProcessGroup& group) {
  constexpr const char* kName = "check_same_parameters";
  // The numbers of parameters first: only lists of one length can be gathered.
  const auto counts = gather({static_cast<std::int64_t>(parameters.size())}, group);
  for (std::size_t r = 1; r < counts.size(); ++r) {
    if (counts[r] == counts[0]) continue;
    fail<CommError>(kName, ranks_and_hosts(group)[r],
                    str("the ", counts[0][0], " parameters of rank 0"), str(counts[r][0]));
  }
  std::vector<std::int64_t> hashes;
  for (const NamedTensor& parameter : parameters) hashes.push_back(hash_of(parameter));
  const auto all = gather(hashes, group);
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    for (std::size_t r = 1; r < all.size(); ++r) {
      if (all[r][i] == all[0][i]) continue;
      const std::vector<std::string> ranks = ranks_and_hosts(group);
      fail<CommError>(kName, parameters[i].name, "the same on all ranks",
                      str("one thing on ", ranks[0], " and another on ", ranks[r]));
    }
  }
}

}  // namespace crocuta
