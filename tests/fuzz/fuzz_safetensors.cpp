// A safetensors header: the first eight bytes say how many bytes of tensors follow it.
#include <cstring>

#include "framework/io/safetensors_header.h"
#include "tests/fuzz/target.h"

using namespace crocuta;
using namespace crocuta::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint64_t data_bytes = 0;
  if (size < sizeof data_bytes) return 0;
  std::memcpy(&data_bytes, data, sizeof data_bytes);
  const std::string_view text = text_of(data + sizeof data_bytes, size - sizeof data_bytes);
  SafetensorsHeader header;
  if (!error_of([&] { header = parse_safetensors_header(text, "file", data_bytes); }).empty()) {
    return 0;
  }

  std::int64_t at = 0;
  for (const SafetensorsHeader::Entry& entry : header.entries) {
    require(entry.begin == at && entry.end >= entry.begin, "tensors follow each other");
    const auto bytes = element_count(entry.shape) * static_cast<std::int64_t>(size_of(entry.dtype));
    require(entry.end - entry.begin == bytes, "a tensor has the bytes of its shape");
    at = entry.end;
  }
  require(static_cast<std::uint64_t>(at) == data_bytes, "tensors fill the file");

  const std::string written = to_text(header);
  const SafetensorsHeader again = parse_safetensors_header(written, "written", data_bytes);
  require(to_text(again) == written, "a header is read back as written");
  return 0;
}
