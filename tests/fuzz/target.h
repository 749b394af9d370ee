// What a fuzz target defines: run with any bytes whatever, it must return. The driver is
// libFuzzer's (scripts/fuzz.sh) or, in the ordinary tests, replay.cpp.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "framework/base/error.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace crocuta::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

// Ends the program, so that the fuzzer keeps the input, unless `holds`.
inline void require(bool holds, std::string_view what) {
  if (holds) return;
  std::fprintf(stderr, "fuzz: not so: %.*s\n", static_cast<int>(what.size()), what.data());
  std::abort();
}

// What `run` gives: "" or the message of the error it threw, which must be one of ours, on one line
// that a terminal shows as it is.
template <class F>
std::string error_of(F&& run) {
  try {
    run();
    return "";
  } catch (const Error& error) {
    const std::string message = error.what();
    require(!message.empty(), "an error says something");
    for (const char c : message) {
      require(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f, "a message is printable");
    }
    return message;
  }
}

}  // namespace crocuta::fuzz
