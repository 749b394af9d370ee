#include "framework/tensor/dtype.h"

#include <array>
#include <ostream>

#include "framework/base/error.h"

namespace crocuta {
namespace {
struct Entry {
  std::string_view name;
  std::size_t bytes;
  bool floating;
};
// In the order of DType.
constexpr std::array<Entry, 6> kEntries = {{{"float32", 4, true},
                                            {"float64", 8, true},
                                            {"bfloat16", 2, true},
                                            {"float16", 2, true},
                                            {"int64", 8, false},
                                            {"int32", 4, false}}};
const Entry& entry(DType dtype) {
  return kEntries[static_cast<std::size_t>(dtype)];
}
}  // namespace

std::size_t size_of(DType dtype) {
  return entry(dtype).bytes;
}
std::string_view name(DType dtype) {
  return entry(dtype).name;
}
bool is_floating(DType dtype) {
  return entry(dtype).floating;
}

DType parse_dtype(std::string_view text) {
  for (std::size_t i = 0; i < kEntries.size(); ++i) {
    if (kEntries[i].name == text) return static_cast<DType>(i);
  }
  fail<DTypeError>("parse_dtype", "dtype", "float32, float64, bfloat16, float16, int64 or int32",
                   str('"', printable(text), '"'));
}

std::ostream& operator<<(std::ostream& out, DType dtype) {
  return out << name(dtype);
}

}  // namespace crocuta
