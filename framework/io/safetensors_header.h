// The header of a safetensors file (internal).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "framework/tensor/tensor.h"

namespace crocuta {

struct SafetensorsHeader {
  static constexpr std::uint64_t kMaxBytes = 16 << 20;
  static constexpr std::size_t kMaxTensors = 100'000;
  static constexpr std::size_t kMaxNameBytes = 512;
  static constexpr std::string_view kMetadataKey = "__metadata__";

  struct Entry {
    std::string name;
    DType dtype = DType::float32;
    Shape shape;
    std::int64_t begin = 0, end = 0;  // bytes, counted from the end of the header
  };
  std::vector<Entry> entries;  // in the order of their bytes
  std::map<std::string, std::string> metadata;
};

// Reads and checks the JSON text of a header that `data_bytes` bytes of tensors follow. Throws
// FormatError beginning with `source`. Allocates no more than a small multiple of the text.
SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& source,
                                           std::uint64_t data_bytes);

// The JSON text, padded with spaces to a multiple of eight bytes.
std::string to_text(const SafetensorsHeader& header);

}  // namespace crocuta
