#include "framework/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <locale>
#include <sstream>
#include <tuple>

#include "framework/base/error.h"
#include "framework/base/json.h"

namespace crocuta {
namespace {

using Entry = SafetensorsHeader::Entry;

struct DTypeName {
  DType dtype;
  std::string_view name;
};
constexpr std::array<DTypeName, 6> kDTypes = {{{DType::float64, "F64"},
                                               {DType::float32, "F32"},
                                               {DType::bfloat16, "BF16"},
                                               {DType::float16, "F16"},
                                               {DType::int64, "I64"},
                                               {DType::int32, "I32"}}};

// Builds the header from the parser's events and refuses every event that has no place in it.
class HeaderBuilder final : public json::Handler {
 public:
  explicit HeaderBuilder(const std::string& source) : source_(source) {}
  SafetensorsHeader take() { return std::move(header_); }

  void null() override { unexpected("null"); }
  void boolean(bool) override { unexpected("a boolean"); }

  void number(std::string_view text) override {
    if (state_ != State::list) unexpected("a number");
    std::int64_t value = 0;
    const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
    const bool whole = result.ec == std::errc() && result.ptr == text.data() + text.size();
    if (!whole || text.front() == '-') {
      refuse("a whole number from 0 to 2^63 - 1", printable(text));
    }
    if (list_.size() == static_cast<std::size_t>(is_shape() ? Tensor::kMaxDims : 2)) {
      refuse(is_shape() ? str("at most ", Tensor::kMaxDims, " sizes") : "two offsets", "more");
    }
    list_.push_back(value);
  }

  void string(std::string text) override {
    if (state_ == State::metadata) {
      header_.metadata[field_] = std::move(text);
    } else if (state_ == State::tensor && field_ == "dtype") {
      header_.entries.back().dtype = parse_dtype(text);
      has_dtype_ = true;
    } else {
      unexpected("a string");
    }
  }

  void key(std::string text) override {
    field_ = std::move(text);
    if (state_ == State::root) {
      tensor_ = field_;
      if (tensor_.size() > SafetensorsHeader::kMaxNameBytes) {
        refuse(str("a name of at most ", SafetensorsHeader::kMaxNameBytes, " bytes"),
               str(tensor_.size(), " bytes"));
      }
    } else if (state_ == State::metadata &&
               header_.metadata.size() == SafetensorsHeader::kMaxTensors) {
      refuse(str("at most ", SafetensorsHeader::kMaxTensors, " entries"), "more");
    } else if (state_ == State::tensor && field_ != "dtype" && field_ != "shape" &&
               field_ != "data_offsets") {
      refuse("'dtype', 'shape' and 'data_offsets'", str("'", printable(field_), "'"));
    }
  }

  void begin_object() override {
    if (state_ == State::outside) {
      state_ = State::root;
    } else if (state_ == State::root && tensor_ == SafetensorsHeader::kMetadataKey) {
      state_ = State::metadata;
    } else if (state_ == State::root) {
      if (header_.entries.size() == SafetensorsHeader::kMaxTensors) {
        throw FormatError(str(source_, ": expected at most ", SafetensorsHeader::kMaxTensors,
                              " tensors, got more"));
      }
      state_ = State::tensor;
      header_.entries.emplace_back().name = tensor_;
      has_dtype_ = has_shape_ = has_offsets_ = false;
    } else {
      unexpected("an object");
    }
  }

  void end_object() override {
    if (state_ == State::tensor && !(has_dtype_ && has_shape_ && has_offsets_)) {
      refuse("'dtype', 'shape' and 'data_offsets'", "only some of them");
    }
    state_ = state_ == State::root ? State::outside : State::root;
  }

  void begin_array() override {
    if (state_ != State::tensor || field_ == "dtype") unexpected("a list");
    state_ = State::list;
    list_.clear();
  }

  void end_array() override {
    state_ = State::tensor;
    Entry& entry = header_.entries.back();
    if (is_shape()) {
      entry.shape = list_;
      has_shape_ = true;
      return;
    }
    if (list_.size() != 2) refuse("two offsets", std::to_string(list_.size()));
    entry.begin = list_[0];
    entry.end = list_[1];
    has_offsets_ = true;
  }

 private:
  enum class State { outside, root, metadata, tensor, list };

  bool is_shape() const { return field_ == "shape"; }

  // FormatError: "m.safetensors: tensor 'w': expected X, got Y".
  [[noreturn]] void refuse(std::string_view expected, std::string_view got) const {
    throw FormatError(
        str(source_, ": tensor '", printable(tensor_), "': expected ", expected, ", got ", got));
  }
  [[noreturn]] void unexpected(std::string_view what) const {
    if (state_ == State::root) refuse("an object", what);
    if (state_ == State::metadata) refuse("strings", what);
    if (state_ == State::list) refuse("whole numbers", what);
    refuse(field_ == "dtype" ? "a string as 'dtype'" : str("a list as '", field_, "'"), what);
  }

  DType parse_dtype(const std::string& text) const {
    std::string names;
    for (const DTypeName& known : kDTypes) {
      if (text == known.name) return known.dtype;
      names += (names.empty() ? "" : ", ") + std::string(known.name);
    }
    refuse(str("a dtype among ", names), str("'", printable(text), "'"));
  }

  const std::string& source_;
  SafetensorsHeader header_;
  State state_ = State::outside;
  std::string tensor_;  // the current name
  std::string field_;   // the latest key
  std::vector<std::int64_t> list_;
  bool has_dtype_ = false, has_shape_ = false, has_offsets_ = false;
};

// Bytes of the elements; -1 if the sizes other than zero overflow (as for element_count()).
std::int64_t byte_count(const Entry& entry) {
  std::int64_t product = 8;
  bool empty = false;
  for (const std::int64_t size : entry.shape) {
    if (size == 0) empty = true;
    if (size != 0 && __builtin_mul_overflow(product, size, &product)) return -1;
  }
  return empty ? 0 : product / 8 * static_cast<std::int64_t>(size_of(entry.dtype));
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view text, const std::string& source,
                                           std::uint64_t data_bytes) {
  if (text.empty() || text.front() != '{') {
    throw FormatError(str(source, ": expected a header that begins with '{', got '",
                          printable(text.substr(0, 1)), "'"));
  }
  HeaderBuilder builder(source);
  constexpr int kMaxDepth = 4;
  json::parse(text, source, kMaxDepth, builder);
  SafetensorsHeader header = builder.take();

  std::sort(header.entries.begin(), header.entries.end(), [](const Entry& a, const Entry& b) {
    return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
  });
  std::int64_t at = 0;
  for (const Entry& entry : header.entries) {
    const auto refuse = [&](const std::string& expected, const std::string& got) {
      throw FormatError(str(source, ": tensor '", printable(entry.name), "': expected ", expected,
                            ", got ", got));
    };
    const std::string offsets = str("[", entry.begin, ", ", entry.end, "]");
    const std::int64_t bytes = byte_count(entry);
    if (bytes < 0) refuse("a size that fits 64 bits", to_string(entry.shape));
    if (entry.begin > entry.end) refuse("offsets in order", offsets);
    if (static_cast<std::uint64_t>(entry.end) > data_bytes) {
      refuse(str("offsets within the ", data_bytes, " bytes of data"), offsets);
    }
    if (entry.end - entry.begin != bytes) {
      refuse(str(bytes, " bytes for ", name(entry.dtype), " ", to_string(entry.shape)),
             str("offsets ", offsets));
    }
    if (entry.begin != at)
      refuse(str("data from byte ", at, " on, without gap or overlap"), offsets);
    at = entry.end;
  }
  if (static_cast<std::uint64_t>(at) != data_bytes) {
    throw FormatError(str(source, ": expected ", at, " bytes of tensors, got ", data_bytes));
  }
  return header;
}

std::string to_text(const SafetensorsHeader& header) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  const char* comma = "";
  out << '{';
  if (!header.metadata.empty()) {
    out << json::quote(SafetensorsHeader::kMetadataKey) << ":{";
    for (const auto& [key, value] : header.metadata) {
      out << comma << json::quote(key) << ':' << json::quote(value);
      comma = ",";
    }
    out << '}';
  }
  for (const Entry& entry : header.entries) {
    const auto known = std::find_if(kDTypes.begin(), kDTypes.end(),
                                    [&](const DTypeName& d) { return d.dtype == entry.dtype; });
    out << comma << json::quote(entry.name) << R"(:{"dtype":")" << known->name << R"(","shape":[)";
    for (std::size_t d = 0; d < entry.shape.size(); ++d) out << (d ? "," : "") << entry.shape[d];
    out << R"(],"data_offsets":[)" << entry.begin << ',' << entry.end << "]}";
    comma = ",";
  }
  out << '}';
  std::string text = out.str();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  return text;
}

}  // namespace crocuta
