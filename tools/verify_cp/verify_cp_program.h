// The program verify_cp as a function, so that a program of yours can offer it for layers of yours:
//
//   int main(int argc, char** argv) { return crocuta::verify_cp(argc, argv); }
#pragma once

#include <iosfwd>

namespace crocuta {

// Compares a registered layer on several ranks with one rank, prints a table, and returns the exit
// status: 0 if all agrees, 1 if something differs or fails, 2 for options that make no sense. Ends
// with distributed::shutdown() if a launcher has started this program.
int verify_cp(int argc, const char* const* argv);
int verify_cp(int argc, const char* const* argv, std::ostream& out, std::ostream& err);

}  // namespace crocuta
