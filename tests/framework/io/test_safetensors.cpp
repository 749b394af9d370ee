#include "framework/io/safetensors.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <fstream>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/base/log.h"
#include "framework/device/allocator.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using test::message_of;
using test::TemporaryDirectory;

namespace {

// A file's bytes: the header's length, the header, and `data`.
std::string file_bytes(const std::string& header, const std::string& data) {
  std::string bytes;
  for (std::size_t i = 0; i < 8; ++i) bytes += static_cast<char>(header.size() >> (8 * i));
  return bytes + header + data;
}

class Files {
 public:
  const std::string& path() const { return path_; }
  void write(const std::string& bytes) const {
    std::ofstream(path_, std::ios::binary | std::ios::trunc) << bytes;
  }
  std::string read() const { return read_file(path_, 1 << 24); }
  // The message with which these bytes are refused, without the path; "" if they are accepted.
  std::string refusal(const std::string& bytes) const {
    write(bytes);
    const auto allocations = memory_stats(Device::cpu()).allocations;
    try {
      load_safetensors(path_);
    } catch (const FormatError& error) {
      REQUIRE(memory_stats(Device::cpu()).allocations == allocations);
      const std::string message = error.what();
      REQUIRE(message.starts_with(path_ + ": "));
      REQUIRE(message.find('\n') == std::string::npos);
      return message.substr(path_.size() + 2);
    }
    return "";
  }
  std::string refusal(const std::string& header, const std::string& data) const {
    return refusal(file_bytes(header, data));
  }

 private:
  TemporaryDirectory directory_;
  std::string path_ = directory_.path("m.safetensors");
};

std::string tensor_json(const std::string& dtype, const std::string& shape,
                        const std::string& offsets) {
  return "{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

const std::string kFour(4, '\0');

}  // namespace

TEST_CASE("tensors of every dtype and shape come back as they were") {
  const Files files;
  StateDict state;
  const std::vector<double> values = {1, -2.5, 3, 0, 1e-3, 7};
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16,
                            DType::int64, DType::int32}) {
    state[std::string(name(dtype))] = from_vector<double>(values, {2, 3}).to(dtype);
  }
  state["scalar"] = full({}, 4);
  state["empty"] = zeros({0, 5});
  state["odd \xc3\xa9 \"name\"\n"] = full({1, 1, 1, 1, 1, 1, 1, 1}, 2);
  state["transposed"] = transpose(reshape(tensor({1, 2, 3, 4}), {2, 2}), 0, 1);
  save_safetensors(files.path(), state, {{"format", "pt"}, {"k\"", "v\n"}});
  const Safetensors loaded = load_safetensors(files.path());
  CHECK(loaded.metadata == std::map<std::string, std::string>{{"format", "pt"}, {"k\"", "v\n"}});
  REQUIRE(loaded.tensors.size() == state.size());
  for (const auto& [name, tensor] : state) {
    const Tensor& other = loaded.tensors.at(name);
    CHECK(other.dtype() == tensor.dtype());
    CHECK(other.shape() == tensor.shape());
    CHECK(other.to_vector<double>() == tensor.to_vector<double>());
  }
}

TEST_CASE("the bytes are those of the format, aligned, and the same every time") {
  const Files files;
  const StateDict state = {{"b", tensor({1})}, {"a", from_vector<std::int64_t>({-1}, {1, 1})}};
  save_safetensors(files.path(), state, {{"m", "x"}});
  const std::string header = R"({"__metadata__":{"m":"x"},)"
                             R"("a":{"dtype":"I64","shape":[1,1],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"F32","shape":[1],"data_offsets":[8,12]}} )";
  const std::string padded = header + std::string((8 - header.size() % 8) % 8, ' ');
  const std::string expected =
      file_bytes(padded, std::string(8, '\xff') + std::string("\x00\x00\x80\x3f", 4));
  CHECK(files.read() == expected);
  save_safetensors(files.path(), state, {{"m", "x"}});
  CHECK(files.read() == expected);
  save_safetensors(files.path(), {}, {});
  CHECK(files.read() == file_bytes("{}      ", ""));
  CHECK(load_safetensors(files.path()).tensors.empty());
}

TEST_CASE("valid files of other writers are read") {
  const Files files;
  // Unsorted header, whitespace, data that is not aligned.
  files.write(file_bytes("{ \"z\" : " + tensor_json("BF16", "[1]", "[0, 2]") +
                             ",\n \"a\":" + tensor_json("F32", "[ ]", "[2,6]") +
                             ", \"e\":" + tensor_json("F32", "[0]", "[2,2]") + "}  \n",
                         std::string("\x80\x3f\x00\x00\x00\x40", 6)));
  const Safetensors loaded = load_safetensors(files.path());
  CHECK(loaded.tensors.at("z").item() == 1);
  CHECK(loaded.tensors.at("a").item() == 2);
  CHECK(loaded.tensors.at("e").shape() == Shape{0});
}

TEST_CASE("a file that is too short or whose header cannot be there is refused") {
  const Files files;
  CHECK(files.refusal("") == "expected at least 8 bytes, got 0");
  CHECK(files.refusal("1234567") == "expected at least 8 bytes, got 7");
  CHECK(files.refusal(std::string(8, '\xff')) ==
        "expected a header of at most 0 bytes, got 18446744073709551615 bytes; is it a safetensors "
        "file?");
  CHECK_THAT(files.refusal(std::string("\x09\0\0\0\0\0\0\0{}      ", 16)),
             ContainsSubstring("expected a header of at most 8 bytes, got 9 bytes"));
  CHECK_THAT(files.refusal(std::string(8, '\0')), ContainsSubstring("begins with '{', got ''"));

  // 16 MiB and one byte, all of it there.
  const std::string large = "{}" + std::string((16 << 20) - 2, ' ');
  CHECK(files.refusal(large, "").empty());
  CHECK_THAT(files.refusal(large + " ", ""),
             ContainsSubstring("expected a header of at most 16777216 bytes, got 16777217"));
}

TEST_CASE("a header that is not strict JSON of the right form is refused") {
  const Files files;
  const std::string w = "{\"w\":" + tensor_json("F32", "[1]", "[0,4]");
  REQUIRE(files.refusal(w + "}", kFour).empty());

  CHECK_THAT(files.refusal(" {}", ""), ContainsSubstring("begins with '{', got ' '"));
  CHECK_THAT(files.refusal("[]", ""), ContainsSubstring("begins with '{', got '['"));
  CHECK_THAT(files.refusal("{} x", ""), ContainsSubstring("line 1, column 4: syntax error"));
  CHECK_THAT(files.refusal(std::string("{}\0", 3), ""), ContainsSubstring("got a NUL byte"));
  CHECK_THAT(files.refusal("{\"\xff\":1}", ""), ContainsSubstring("syntax error"));
  CHECK_THAT(files.refusal(w, kFour), ContainsSubstring("syntax error"));
  CHECK_THAT(files.refusal(w + ",\"w\":" + tensor_json("F32", "[0]", "[4,4]") + "}", kFour),
             ContainsSubstring("duplicate key 'w'"));
  CHECK(files.refusal("{\"w\":1}", "") == "tensor 'w': expected an object, got a number");
  CHECK(files.refusal("{\"w\":[]}", "") == "tensor 'w': expected an object, got a list");
  CHECK(files.refusal("{\"w\":null}", "") == "tensor 'w': expected an object, got null");
  CHECK(files.refusal("{\"w\":{}}", "") ==
        "tensor 'w': expected 'dtype', 'shape' and 'data_offsets', got only some of them");
  CHECK(files.refusal("{\"w\":{\"dtype\":\"F32\",\"shape\":[1]}}", kFour) ==
        "tensor 'w': expected 'dtype', 'shape' and 'data_offsets', got only some of them");
  CHECK_THAT(files.refusal("{\"w\":{\"dtype\":\"F32\",\"dtype\":\"F32\"}}", ""),
             ContainsSubstring("duplicate key 'dtype'"));
  CHECK(files.refusal("{\"w\":{\"color\":1}}", "") ==
        "tensor 'w': expected 'dtype', 'shape' and 'data_offsets', got 'color'");
  CHECK(files.refusal("{\"w\":{\"dtype\":[\"F32\"]}}", "") ==
        "tensor 'w': expected a string as 'dtype', got a list");
  CHECK(files.refusal("{\"w\":{\"shape\":4}}", "") ==
        "tensor 'w': expected a list as 'shape', got a number");
  CHECK(files.refusal("{\"w\":{\"shape\":[[1]]}}", "") ==
        "tensor 'w': expected whole numbers, got a list");
  CHECK(files.refusal("{\"w\":{\"shape\":[true]}}", "") ==
        "tensor 'w': expected whole numbers, got a boolean");
  CHECK_THAT(files.refusal("{\"w\":{\"shape\":" + std::string(100000, '[') + "}}", ""),
             ContainsSubstring("expected whole numbers, got a list"));
  CHECK(files.refusal("{\"__metadata__\":{\"a\":1}}", "") ==
        "tensor '__metadata__': expected strings, got a number");
  CHECK(files.refusal("{\"__metadata__\":null}", "") ==
        "tensor '__metadata__': expected an object, got null");
  CHECK_THAT(files.refusal("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}", ""),
             ContainsSubstring("duplicate key 'a'"));
}

TEST_CASE("dtypes that are unknown or not supported are named") {
  const Files files;
  const std::string expected =
      "tensor 'w': expected a dtype among F64, F32, BF16, F16, I64, I32, got ";
  for (const std::string dtype : {"U8", "BOOL", "F8_E4M3", "f32", "float32", ""}) {
    CHECK(files.refusal("{\"w\":" + tensor_json(dtype, "[1]", "[0,4]") + "}", kFour) ==
          expected + "'" + dtype + "'");
  }
}

TEST_CASE("sizes that are negative, fractional, too many or overflowing are refused") {
  const Files files;
  const auto shape = [&](const std::string& text) {
    return files.refusal("{\"w\":" + tensor_json("F32", text, "[0,4]") + "}", kFour);
  };
  const std::string whole = "tensor 'w': expected a whole number from 0 to 2^63 - 1, got ";
  CHECK(shape("[1]").empty());
  CHECK(shape("[-1]") == whole + "-1");
  CHECK(shape("[-0]") == whole + "-0");
  CHECK(shape("[1.0]") == whole + "1.0");
  CHECK(shape("[1e0]") == whole + "1e0");
  CHECK(shape("[9223372036854775808]") == whole + "9223372036854775808");
  CHECK(shape("[99999999999999999999999]") == whole + "99999999999999999999999");
  CHECK(shape("[1,1,1,1,1,1,1,1]").empty());
  CHECK(shape("[1,1,1,1,1,1,1,1,1]") == "tensor 'w': expected at most 8 sizes, got more");
  CHECK(shape("[4294967296,4294967296]") ==
        "tensor 'w': expected a size that fits 64 bits, got [4294967296, 4294967296]");
  CHECK(shape("[9223372036854775807]") ==
        "tensor 'w': expected a size that fits 64 bits, got [9223372036854775807]");
  CHECK_THAT(shape("[0,4294967296,4294967296]"), ContainsSubstring("fits 64 bits"));
  CHECK(shape("[2]") == "tensor 'w': expected 8 bytes for float32 [2], got offsets [0, 4]");
  CHECK(shape("[0]") == "tensor 'w': expected 0 bytes for float32 [0], got offsets [0, 4]");
}

TEST_CASE("offsets out of order, with holes, overlapping or out of the file are refused") {
  const Files files;
  const auto one = [&](const std::string& offsets, const std::string& data) {
    return files.refusal("{\"w\":" + tensor_json("F32", "[1]", offsets) + "}", data);
  };
  const auto two = [&](const std::string& a, const std::string& b) {
    return files.refusal(
        "{\"a\":" + tensor_json("F32", "[1]", a) + ",\"b\":" + tensor_json("F32", "[1]", b) + "}",
        kFour + kFour);
  };
  CHECK(one("[4,0]", kFour) == "tensor 'w': expected offsets in order, got [4, 0]");
  CHECK(one("[0,4]", "123") ==
        "tensor 'w': expected offsets within the 3 bytes of data, got [0, 4]");
  CHECK(one("[0,4]", "12345") == "expected 4 bytes of tensors, got 5");
  CHECK(one("[1,5]", "12345") ==
        "tensor 'w': expected data from byte 0 on, without gap or overlap, got [1, 5]");
  CHECK(one("[0]", kFour) == "tensor 'w': expected two offsets, got 1");
  CHECK(one("[0,4,4]", kFour) == "tensor 'w': expected two offsets, got more");
  CHECK_THAT(one("[9223372036854775803,9223372036854775807]", kFour),
             ContainsSubstring("within the 4 bytes"));
  CHECK(two("[0,4]", "[4,8]").empty());
  CHECK(two("[4,8]", "[0,4]").empty());
  CHECK(two("[0,4]", "[0,4]") ==
        "tensor 'b': expected data from byte 4 on, without gap or overlap, got [0, 4]");
  CHECK_THAT(two("[0,4]", "[3,7]"), ContainsSubstring("from byte 4 on"));
  CHECK_THAT(two("[0,4]", "[5,9]"), ContainsSubstring("within the 8 bytes"));
  CHECK(files.refusal("{}", "x") == "expected 0 bytes of tensors, got 1");
}

TEST_CASE("names are limited in length and number, and escaped in messages") {
  const Files files;
  const auto named = [&](const std::string& name) {
    return files.refusal("{\"" + name + "\":" + tensor_json("F32", "[1]", "[0,4]") + "}", kFour);
  };
  CHECK(named(std::string(512, 'n')).empty());
  CHECK_THAT(named(std::string(513, 'n')),
             ContainsSubstring("expected a name of at most 512 bytes, got 513 bytes"));
  CHECK(files.refusal("{\"\\u001b[2J\":1}", "") ==
        "tensor '\\x1b[2J': expected an object, got a number");

  std::string entries;
  for (int i = 0; i <= 100000; ++i) {
    entries += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  }
  CHECK(files.refusal("{\"__metadata__\":{" + entries + "}}", "") ==
        "tensor '__metadata__': expected at most 100000 entries, got more");

  std::string many = "{";
  for (int i = 0; i <= 100000; ++i) {
    if (i == 100000) CHECK(files.refusal(many + "}", "").empty());
    many += (i ? ",\"" : "\"") + std::to_string(i) + "\":" + tensor_json("F32", "[0]", "[0,0]");
  }
  CHECK(files.refusal(many + "}", "") == "expected at most 100000 tensors, got more");
}

TEST_CASE("every truncation is refused, and so is every flipped bit of the length") {
  const Files files;
  save_safetensors(files.path(), {{"a", tensor({1, 2})}, {"b", zeros({3})}}, {{"m", "x"}});
  const std::string good = files.read();
  for (std::size_t length = 0; length < good.size(); ++length) {
    if (files.refusal(good.substr(0, length)).empty()) FAIL("accepted the first " << length);
  }
  for (int bit = 0; bit < 64; ++bit) {
    std::string bad = good;
    bad[static_cast<std::size_t>(bit / 8)] ^= static_cast<char>(1 << (bit % 8));
    if (files.refusal(bad).empty()) FAIL("accepted with bit " << bit << " flipped");
  }
  CHECK(files.refusal(good).empty());
}

TEST_CASE("no flipped bit in the header does more than rename or reshape") {
  const Files files;
  save_safetensors(files.path(), {{"a", tensor({1, 2})}, {"b", zeros({3})}}, {{"m", "x"}});
  const std::string good = files.read();
  const std::size_t data = good.size() - 5 * 4;
  int accepted = 0;
  for (std::size_t bit = 64; bit < 8 * data; ++bit) {
    std::string bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << (bit % 8));
    if (!files.refusal(bad).empty()) continue;
    ++accepted;
    const StateDict loaded = load_safetensors(files.path()).tensors;
    std::int64_t bytes = 0;
    for (const auto& [name, tensor] : loaded) {
      bytes += tensor.numel() * static_cast<std::int64_t>(size_of(tensor.dtype()));
    }
    if (bytes > 20) FAIL("more bytes than the file has");
  }
  CHECK(accepted > 0);  // a letter of a name, for instance
  CHECK(accepted < 200);
}

TEST_CASE("files that are no files are IoErrors") {
  const TemporaryDirectory directory;
  const auto refusal = [](const std::string& path) {
    return message_of<IoError>([&] { load_safetensors(path); });
  };
  const std::string absent = directory.path("absent"), fifo = directory.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(refusal(absent) == absent + ": cannot open: No such file or directory");
  CHECK(refusal(directory.path()) == directory.path() + ": expected a file, got a directory");
  CHECK(refusal(fifo) == fifo + ": expected a file, got a FIFO");
}

TEST_CASE("tensors that could not be read back are not written") {
  const Files files;
  files.write("old");
  const Tensor x = tensor({1});
  CHECK_THROWS_AS(save_safetensors(files.path(), {{"t", Tensor()}}), ArgumentError);
  CHECK_THROWS_AS(save_safetensors(files.path(), {{"\xff", x}}), ArgumentError);
  CHECK_THROWS_AS(save_safetensors(files.path(), {{"__metadata__", x}}), ArgumentError);
  CHECK_THROWS_AS(save_safetensors(files.path(), {{std::string(513, 'n'), x}}), ArgumentError);
  CHECK_THROWS_AS(save_safetensors(files.path(), {{"x", x}}, {{"k", "\xff"}}), ArgumentError);
  CHECK_THROWS_WITH(save_safetensors(files.path(), {{"t", Tensor()}}),
                    "save_safetensors: 't': expected a defined tensor, got an undefined one");
  StateDict many;
  for (int i = 0; i <= 100000; ++i) many[std::to_string(i)] = x;
  CHECK_THROWS_WITH(save_safetensors(files.path(), many),
                    "save_safetensors: 'tensors': expected at most 100000, got 100001");
  StateDict long_names;
  for (int i = 0; i < 40000; ++i) long_names[std::to_string(i) + std::string(500, 'n')] = x;
  CHECK_THROWS_WITH(save_safetensors(files.path(), long_names),
                    ContainsSubstring("'tensors': expected a header of at most 16777216 bytes"));
  CHECK(files.read() == "old");
}

TEST_CASE("a parameter with a graph around it is written without touching the graph") {
  const Files files;
  const Tensor w = tensor({1, 2, 3, 4});
  w.set_requires_grad();
  const Tensor loss = sum(transpose(reshape(w, {2, 2}), 0, 1) * 3.0);
  save_safetensors(files.path(), {{"w", w}, {"t", transpose(reshape(w, {2, 2}), 0, 1)}});
  loss.backward();
  CHECK(w.grad().to_vector() == std::vector<float>{3, 3, 3, 3});
  CHECK(load_safetensors(files.path()).tensors.at("t").to_vector() ==
        std::vector<float>{1, 3, 2, 4});
  CHECK_FALSE(load_safetensors(files.path()).tensors.at("w").requires_grad());
}

TEST_CASE("NaNs are loaded with a warning") {
  const Files files;
  std::vector<std::string> lines;
  set_log_sink([&](LogLevel, const std::string& line) { lines.push_back(line); });
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    lines.clear();
    const Tensor x = tensor({1, NAN, INFINITY}).to(dtype);
    save_safetensors(files.path(), {{"a", tensor({INFINITY})}, {"x", x}, {"y", x}});
    const Tensor back = load_safetensors(files.path()).tensors.at("x");
    CHECK(std::isnan(back.to_vector()[1]));
    CHECK(lines == std::vector<std::string>{"crocuta: warning: " + files.path() +
                                            ": 2 tensors hold NaN, the first being 'x'"});
  }
  lines.clear();
  save_safetensors(files.path(), {{"a", tensor({INFINITY})}});
  load_safetensors(files.path());
  CHECK(lines.empty());
  set_log_sink({});
}
