#include "framework/tensor/random.h"

#include <cmath>

#include "framework/ops/ops.h"
#include "kernels/philox.h"
#include "tests/support/catch.h"

using namespace crocuta;

TEST_CASE("Philox4x32-10 gives the published known answers") {
  // The generator's own test vectors (Random123, kat_vectors).
  const auto words = [](std::uint64_t key, std::uint64_t low, std::uint64_t high) {
    const kernels::Philox4 r = kernels::philox4x32(key, low, high);
    return std::vector<std::uint32_t>(r.word, r.word + 4);
  };
  CHECK(words(0, 0, 0) ==
        std::vector<std::uint32_t>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  CHECK(words(~0ull, ~0ull, ~0ull) ==
        std::vector<std::uint32_t>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
  CHECK(words(0x299f31d0a4093822, 0x85a308d3243f6a88, 0x0370734413198a2e) ==
        std::vector<std::uint32_t>{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("the same seed gives the same numbers, in every dtype up to its rounding") {
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    Generator a{7, 0}, b{7, 0};
    const Tensor expected = rand({1001}, {}, a);
    const Tensor actual = rand({1001}, {.dtype = dtype}, b);
    CHECK(expected.to(dtype).to_vector() == actual.to_vector());
  }
  Generator a{7, 0}, b{7, 0};
  CHECK(randn({1001}, {}, a).to_vector() ==
        randn({1001}, {.dtype = DType::float64}, b).to_vector<float>());
}

TEST_CASE("a longer tensor begins with the numbers of a shorter one") {
  Generator a{3, 9}, b{3, 9};
  const std::vector<float> shorter = randn({37}, {}, a).to_vector();
  std::vector<float> longer = randn({1000}, {}, b).to_vector();
  longer.resize(shorter.size());
  CHECK(shorter == longer);
}

TEST_CASE("streams and seeds differ") {
  Generator g{1, 0}, h{2, 0};
  const auto first = rand({64}, {}, g).to_vector();
  CHECK(first != rand({64}, {}, g).to_vector());
  CHECK(first != rand({64}, {}, h).to_vector());
}

TEST_CASE("uniform and normal numbers have the moments of their distributions") {
  // A mean of 10^6 draws is off by more than 5 standard errors once in two million seeds.
  constexpr std::int64_t kDraws = 1'000'000;
  Generator g{42, 0};
  const Tensor u = rand({kDraws}, {.dtype = DType::float64}, g);
  CHECK(std::abs(mean(u).item() - 0.5) < 5 * std::sqrt(1.0 / 12 / kDraws));
  const Tensor z = randn({kDraws}, {.dtype = DType::float64}, g);
  CHECK(std::abs(mean(z).item()) < 5 / std::sqrt(kDraws));
  CHECK(std::abs(mean(z * z).item() - 1) < 5 * std::sqrt(2.0 / kDraws));
  CHECK(std::abs(mean(z * z * z).item()) < 5 * std::sqrt(15.0 / kDraws));
  CHECK(std::abs(mean(z * z * z * z).item() - 3) < 5 * std::sqrt(96.0 / kDraws));
}

TEST_CASE("filling a view leaves its surroundings alone") {
  const Tensor x = zeros({4, 4});
  uniform_(transpose(narrow(x, 1, 1, 2), 0, 1), 1, 2);
  CHECK(sum(narrow(x, 1, 0, 1)).item() == 0);
  CHECK(sum(narrow(x, 1, 3, 1)).item() == 0);
  for (const float value : narrow(x, 1, 1, 2).to_vector()) CHECK((value >= 1 && value < 2));
}

TEST_CASE("integers cannot be drawn") {
  CHECK_THROWS_AS(uniform_(arange(3), 0, 1), DTypeError);
}
