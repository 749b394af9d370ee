#include "framework/io/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/base/json.h"
#include "framework/base/log.h"
#include "framework/base/utf8.h"
#include "framework/io/safetensors_header.h"
#include "framework/tensor/autograd.h"
#include "framework/tensor/dispatch.h"

namespace crocuta {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

using Entry = SafetensorsHeader::Entry;

bool has_nan(const Tensor& tensor) {
  return is_floating(tensor.dtype()) &&
         dispatch("load_safetensors", tensor, [&]<class Device, class T>() {
           const T* x = tensor.data<T>();
           bool found = false;
           for (std::int64_t i = 0; i < tensor.numel(); ++i) {
             const auto value = static_cast<kernels::accumulator_t<T>>(x[i]);
             found |= value != value;
           }
           return found;
         });
}

void warn_about_nans(const std::string& path, const StateDict& tensors) {
  std::string first;
  int count = 0;
  for (const auto& [name, tensor] : tensors) {
    if (has_nan(tensor) && count++ == 0) first = name;
  }
  if (count == 0) return;
  log_warn(str(printable(path), ": ", count, count == 1 ? " tensor holds" : " tensors hold",
               " NaN, the first being '", printable(first), "'"));
}

// What the file will look like; entries in the order of falling element size, then names, so that
// every tensor is aligned.
SafetensorsHeader plan(const StateDict& tensors,
                       const std::map<std::string, std::string>& metadata) {
  constexpr const char* kWhere = "save_safetensors";
  if (tensors.size() > SafetensorsHeader::kMaxTensors) {
    fail<ArgumentError>(kWhere, "tensors", str("at most ", SafetensorsHeader::kMaxTensors),
                        str(tensors.size()));
  }
  SafetensorsHeader header;
  header.metadata = metadata;
  for (const auto& [name, tensor] : tensors) {
    if (name.size() > SafetensorsHeader::kMaxNameBytes || !is_utf8(name) ||
        name == SafetensorsHeader::kMetadataKey) {
      fail<ArgumentError>(kWhere, "name",
                          str("UTF-8 of at most ", SafetensorsHeader::kMaxNameBytes,
                              " bytes other than ", SafetensorsHeader::kMetadataKey),
                          str("'", printable(name), "'"));
    }
    if (!tensor.defined()) {
      fail<ArgumentError>(kWhere, printable(name), "a defined tensor", "an undefined one");
    }
    header.entries.push_back({name, tensor.dtype(), tensor.shape(), 0, 0});
  }
  std::stable_sort(
      header.entries.begin(), header.entries.end(),
      [](const Entry& a, const Entry& b) { return size_of(a.dtype) > size_of(b.dtype); });
  std::int64_t at = 0;
  for (Entry& entry : header.entries) {
    entry.begin = at;
    at += element_count(entry.shape) * static_cast<std::int64_t>(size_of(entry.dtype));
    entry.end = at;
  }
  return header;
}

}  // namespace

Safetensors load_safetensors(const std::string& path) {
  const std::string source = printable(path);
  const File file = File::open_read(path);
  const std::uint64_t file_bytes = file.size();
  std::array<std::uint8_t, 8> prefix;
  if (file_bytes < prefix.size()) {
    throw FormatError(str(source, ": expected at least 8 bytes, got ", file_bytes));
  }
  file.read_at(0, prefix.data(), prefix.size());
  std::uint64_t header_bytes = 0;
  for (std::size_t i = 0; i < 8; ++i) header_bytes |= std::uint64_t{prefix[i]} << (8 * i);
  if (header_bytes > file_bytes - 8 || header_bytes > SafetensorsHeader::kMaxBytes) {
    throw FormatError(str(source, ": expected a header of at most ",
                          std::min(file_bytes - 8, SafetensorsHeader::kMaxBytes), " bytes, got ",
                          header_bytes, " bytes; is it a safetensors file?"));
  }
  std::string text(static_cast<std::size_t>(header_bytes), '\0');
  file.read_at(8, text.data(), text.size());
  SafetensorsHeader header = parse_safetensors_header(text, source, file_bytes - 8 - header_bytes);

  Safetensors out;
  out.metadata = std::move(header.metadata);
  for (const Entry& entry : header.entries) {
    const Tensor tensor = empty(entry.shape, {entry.dtype, Device::cpu()});
    file.read_at(8 + header_bytes + static_cast<std::uint64_t>(entry.begin), tensor.raw_data(),
                 static_cast<std::size_t>(entry.end - entry.begin));
    out.tensors.emplace(entry.name, tensor);
  }
  warn_about_nans(path, out.tensors);
  return out;
}

void write_safetensors(const StateDict& tensors, const std::map<std::string, std::string>& metadata,
                       const ByteSink& sink) {
  const SafetensorsHeader header = plan(tensors, metadata);
  const std::string text = to_text(header);
  if (text.size() > SafetensorsHeader::kMaxBytes) {
    fail<ArgumentError>("save_safetensors", "tensors",
                        str("a header of at most ", SafetensorsHeader::kMaxBytes, " bytes"),
                        str(text.size(), " bytes"));
  }
  std::array<std::uint8_t, 8> prefix;
  for (std::size_t i = 0; i < 8; ++i) {
    prefix[i] = static_cast<std::uint8_t>(std::uint64_t{text.size()} >> (8 * i));
  }
  sink(prefix.data(), prefix.size());
  sink(text.data(), text.size());
  const NoGrad no_grad;
  for (const Entry& entry : header.entries) {
    const Tensor tensor = tensors.at(entry.name).to(Device::cpu()).contiguous();
    sink(tensor.raw_data(), static_cast<std::size_t>(entry.end - entry.begin));
  }
}

void save_safetensors(const std::string& path, const StateDict& tensors,
                      const std::map<std::string, std::string>& metadata) {
  replace_file(path, [&](File& file) {
    write_safetensors(tensors, metadata,
                      [&](const void* data, std::size_t bytes) { file.write(data, bytes); });
  });
}

}  // namespace crocuta
