// The rules of docs/architecture.md on who may include what, applied to source files as text.
#pragma once

#include <string>
#include <vector>

namespace crocuta::test {

struct SourceFile {
  std::string path;  // from the repository's root, with slashes
  std::vector<std::string> lines;
};

// All .h, .cpp and .cu files below the project's folders.
std::vector<SourceFile> source_files(const std::string& root);

// What `line` includes, without quotes or brackets; empty if it is no #include.
std::string included(const std::string& line);

// What is wrong with one file, as `path:line: message`, one per violation.
std::vector<std::string> folder_violations(const SourceFile& file);
std::vector<std::string> library_violations(const SourceFile& file);
std::vector<std::string> kernel_violations(const SourceFile& file);
std::vector<std::string> form_violations(const SourceFile& file);
// The rooms of framework/ that were meant to be read at one go and have outgrown it, and its files
// that are in none.
std::vector<std::string> budget_violations(const std::vector<SourceFile>& files);

}  // namespace crocuta::test
