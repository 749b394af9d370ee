// What every program does first, and how the commands that it prints are spelled: so that they can
// be pasted into the shell that it was started from.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace crocuta {

// To be called first in main. `name` is what messages begin with, `argv0` what main was given. From
// then on a file too large (ulimit -f) is an error of the write rather than the program's end, and
// no file that is opened takes the place of a standard stream that was closed.
void begin_program(std::string_view name, const char* argv0);

// How this program was started: its path as it was typed, or that of a script which says so in the
// environment variable CROCUTA_COMMAND. Quoted.
std::string own_command();
// The program of this name in the same folder. Quoted.
std::string command_beside(std::string_view name);
// The file of this relative path in the nearest folder above this program's. Quoted; nothing if
// there is none.
std::optional<std::string> command_above(std::string_view path);

// A message for the user of a program: without the names of the library's functions that what a
// user gives can make fail, "load_state_dict: " for example.
std::string without_functions(std::string message);

// One word for a shell: as it is, or in quotes where it has blanks, quotes, control characters, ...
std::string shell_quote(std::string_view text);

}  // namespace crocuta
