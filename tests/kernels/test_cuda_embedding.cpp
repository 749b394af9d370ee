// Table lookup on the GPU.
#include "kernels/embedding.h"
#include "tests/kernels/cuda_comparison.h"

using namespace crocuta;
using namespace crocuta::kernels;
using namespace crocuta::test;
using std::int64_t;

namespace {

template <class Device>
std::vector<int64_t> checked(const std::vector<int64_t>& ids, int64_t limit,
                             std::optional<int64_t> ignored) {
  OnDevice<Device, int64_t> on_device(ids), result(std::vector<int64_t>(2, -77));
  check_ids<Device>(static_cast<int64_t>(ids.size()), on_device.data(), limit, ignored,
                    result.data(), nullptr);
  return result.values();
}

template <class Device, class T>
Results embedding(const std::vector<int64_t>& id_values, int64_t dim, int64_t vocabulary,
                  int offset) {
  const auto n = static_cast<int64_t>(id_values.size());
  Operand<Device, int64_t> ids(id_values, offset);
  Operand<Device, T> table(random_values<T>(vocabulary * dim, 1), offset);
  Operand<Device, T> dy(random_values<T>(n * dim, 2), offset);
  auto y = results<Device, T>(n * dim, offset);
  auto dtable = results<Device, T>(vocabulary * dim, offset);
  Workspace<Device> workspace(embedding_backward_workspace_bytes<Device>(n, dim, vocabulary));
  embedding_forward<Device, T>(n, dim, ids.data(), table.data(), y.data(), nullptr);
  embedding_backward<Device, T>(n, dim, vocabulary, ids.data(), dy.data(), dtable.data(),
                                workspace.data(), nullptr);
  return {y.values(), dtable.values()};
}

struct Case {
  int64_t n, dim, vocabulary;
};

}  // namespace

TEST_CASE("the first bad id is found on a GPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  for (const int64_t n : {0, 1, 2, 31, 32, 33, 1023, 1024, 1025, 5000}) {
    INFO("n " << n);
    std::vector<int64_t> ids = random_ids(n, 100, 1);
    CHECK(checked<Cuda>(ids, 100, {}) == std::vector<int64_t>{n, n});
    CHECK(checked<Cuda>(ids, 100, 7) == checked<Cpu>(ids, 100, 7));
    if (n < 31) continue;
    for (const int64_t bad : {n - 1, n / 2, int64_t{3}}) {
      ids[static_cast<std::size_t>(bad)] = bad % 2 == 0 ? 100 : -1;
      CHECK(checked<Cuda>(ids, 100, {}) == std::vector<int64_t>{bad, n});
    }
    CHECK(checked<Cuda>(ids, 100, -1) == checked<Cpu>(ids, 100, -1));
    CHECK(checked<Cuda>(ids, 101, 7) == checked<Cpu>(ids, 101, 7));
  }
}

TEST_CASE("embedding on a GPU is that on a CPU") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  const auto check = []<class T>(T) {
    for (const Case c :
         {Case{0, 4, 3}, Case{1, 1, 1}, Case{5, 3, 2}, Case{255, 8, 16}, Case{256, 33, 5},
          Case{257, 32, 300}, Case{1000, 16, 7}, Case{1025, 1, 1025}, Case{300, 256, 50},
          Case{20, 1027, 30}, Case{12, 4100, 4}, Case{3000, 2, 5003}, Case{7, 0, 4}}) {
      INFO("n " << c.n << ", dim " << c.dim << ", vocabulary " << c.vocabulary << ", " << sizeof(T)
                << " bytes");
      const std::vector<int64_t> ids = random_ids(c.n, c.vocabulary, 3);
      // Sums of multiples of 1/64 are exact but for the last rounding.
      compare(0, [&]<class Device>(Device, int offset) {
        return embedding<Device, T>(ids, c.dim, c.vocabulary, offset);
      });
    }
  };
  check(float());
  check(double());
  check(bfloat16());
  check(float16());
}

TEST_CASE("the gradient of an embedding on a GPU adds up runs of any length") {
  if (!gpu_present()) SKIP_TEST("no GPU");
  // All equal, in order, in reverse, runs that end where a tile of the sorted list does, and a few
  // ids among many of one.
  std::vector<std::vector<int64_t>> lists(5, std::vector<int64_t>(70000 / 64));
  for (std::size_t i = 0; i < lists[0].size(); ++i) {
    const auto at = static_cast<int64_t>(i);
    lists[0][i] = 41;
    lists[1][i] = at;
    lists[2][i] = static_cast<int64_t>(lists[0].size() - 1) - at;
    lists[3][i] = at / 64 * 3;
    lists[4][i] = i % 100 == 99 ? at : 0;
  }
  for (const auto& ids : lists) {
    compare(0, [&]<class Device>(Device, int offset) {
      return embedding<Device, float>(ids, 12, static_cast<int64_t>(ids.size()), offset);
    });
  }
}
