// Standard output for programs: every write is checked, and lines fit the terminal.
#pragma once

#include <string>
#include <string_view>

#include "framework/base/error.h"

namespace crocuta {

struct OutputError : IoError {  // standard output did not take what was written
  using IoError::IoError;
};

// Writes `text` to standard output at once, past all buffers. Throws OutputError:
// "standard output: cannot write: No space left on device".
void print(std::string_view text);
// The same, but returns what went wrong: an errno, or 0.
int try_print(std::string_view text);
// The message for such an errno.
std::string output_failure(int code);

// The columns that text may take: those of the terminal that standard output is, else 80.
int output_columns();

// `text` with its lines broken at blanks so that none has more than `columns` columns, words that
// are longer apart. What follows a break starts below the second column of a line that has two (as
// in the list of options of --help), else below the line's first word.
std::string wrapped(std::string_view text, int columns);

// The first `columns` columns of a line of UTF-8.
std::string cut_to(std::string_view line, int columns);

}  // namespace crocuta
