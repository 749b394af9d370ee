// The errors Crocuta throws. Messages read `where: 'argument': expected X, got Y`, on one line.
#pragma once

#include <locale>
#include <sstream>
#include <string>
#include <string_view>

#include "kernels/error.h"

namespace crocuta {

struct ArgumentError : Error {  // a value out of range, or values that contradict each other
  using Error::Error;
};
struct ShapeError : Error {  // sizes that do not fit
  using Error::Error;
};
struct DTypeError : Error {  // an element type that does not fit
  using Error::Error;
};
struct CommError : Error {  // a process group that is unusable, or ranks that disagree
  using Error::Error;
};
struct FormatError : Error {  // a file or text that is not what it should be
  using Error::Error;
};
struct IoError : Error {  // the operating system refused a read or write
  using Error::Error;
};
struct OutOfMemory : Error {  // an allocation that cannot be served
  using Error::Error;
};

// The arguments, streamed one after the other: str("got ", 3) == "got 3".
template <class... Args>
std::string str(const Args&... args) {
  std::ostringstream out;
  out.imbue(std::locale::classic());  // the same text whatever the program's locale
  (out << ... << args);
  return out.str();
}

// Throws E("where: 'argument': expected X, got Y").
template <class E>
[[noreturn]] void fail(std::string_view where, std::string_view argument, std::string_view expected,
                       std::string_view got) {
  throw E(str(where, ": '", argument, "': expected ", expected, ", got ", got));
}

// The result of `read`, which takes values out of a file: where it throws ArgumentError or
// DTypeError for one of them, the file is to blame, and FormatError is thrown with the same
// message.
template <class F>
auto blame_file(F&& read) {
  try {
    return read();
  } catch (const ArgumentError& error) {
    throw FormatError(error.what());
  } catch (const DTypeError& error) {
    throw FormatError(error.what());
  }
}

// `text` made fit for a terminal line: control characters and invalid UTF-8 escaped (\x1b),
// cut after `limit` bytes with "...". For text that came from files or the command line.
std::string printable(std::string_view text, std::size_t limit = 200);

}  // namespace crocuta
