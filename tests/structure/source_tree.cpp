#include "tests/structure/source_tree.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <map>
#include <regex>
#include <string_view>

namespace crocuta::test {
namespace {

namespace fs = std::filesystem;

// Lowest first: a folder may include itself and those before it; the emulation also the kernels, for
// it computes with those for the CPU.
constexpr std::array<std::string_view, 6> kFolders = {"emulation",   "kernels", "framework",
                                                      "distributed", "layers",  "examples"};
// The rooms of framework/, likewise.
constexpr std::array<std::string_view, 7> kRooms = {"base", "device", "tensor", "ops",
                                                    "nn",   "io",     "testing"};
constexpr std::array<std::string_view, 3> kFreeFolders = {"tests", "bench", "tools"};

// Headers (by how their names start) and the only files (likewise) that may include them.
struct LibraryRule {
  std::vector<std::string_view> headers;
  std::vector<std::string_view> users;
};
const std::vector<LibraryRule>& library_rules() {
  static const std::vector<LibraryRule> rules = {
      {{"cublas"}, {"kernels/cuda/gemm"}},
      {{"cufft"}, {"kernels/cuda/fft_conv/"}},
      {{"cuda", "cub/", "thrust/", "cooperative_groups"},
       {"kernels/cuda/", "kernels/types.h", "framework/device/", "distributed/backends/nccl"}},
      {{"mpi.h"}, {"distributed/backends/mpi", "distributed/backends/nccl"}},
      {{"nccl.h"}, {"distributed/backends/nccl"}},
      {{"cblas", "openblas", "mkl", "fftw3"}, {}},  // peers of bench/ only
      {{"boost/"}, {"emulation/"}},
      {{"omp.h"}, {}},  // loops run on threads of our own: kernels/cpu/parallel.h
      // Slow to compile: each behind a header of ours, see the test that counts who includes them.
      {{"spdlog/", "nlohmann/", "CLI/"}, {"framework/base/"}},
  };
  return rules;
}

bool starts_with_any(std::string_view text, const std::vector<std::string_view>& prefixes) {
  return std::any_of(prefixes.begin(), prefixes.end(),
                     [&](std::string_view prefix) { return text.starts_with(prefix); });
}

std::string_view top_folder(std::string_view path) {
  const std::size_t slash = path.find('/');
  return slash == path.npos ? std::string_view() : path.substr(0, slash);
}

template <class Folders>
int position(const Folders& folders, std::string_view folder) {
  const auto found = std::find(folders.begin(), folders.end(), folder);
  return found == folders.end() ? -1 : static_cast<int>(found - folders.begin());
}

// The room of a path below framework/; "" for what lies in none.
std::string_view room(std::string_view path) {
  constexpr std::string_view kFramework = "framework/";
  return path.starts_with(kFramework) ? top_folder(path.substr(kFramework.size())) : "";
}

std::string violation(const SourceFile& file, std::size_t line, const std::string& message) {
  return file.path + ":" + std::to_string(line + 1) + ": " + message;
}

bool is_quoted(const std::string& line) {
  return line.find('"') != line.npos;
}

}  // namespace

std::vector<SourceFile> source_files(const std::string& root) {
  std::vector<SourceFile> files;
  std::vector<std::string_view> folders(kFolders.begin(), kFolders.end());
  folders.insert(folders.end(), kFreeFolders.begin(), kFreeFolders.end());
  for (const std::string_view folder : folders) {
    for (const auto& entry : fs::recursive_directory_iterator(fs::path(root) / folder)) {
      const fs::path extension = entry.path().extension();
      if (extension != ".h" && extension != ".cpp" && extension != ".cu") continue;
      SourceFile file{entry.path().lexically_relative(root).generic_string(), {}};
      std::ifstream in(entry.path());
      for (std::string line; std::getline(in, line);) file.lines.push_back(line);
      files.push_back(std::move(file));
    }
  }
  std::sort(files.begin(), files.end(),
            [](const SourceFile& a, const SourceFile& b) { return a.path < b.path; });
  return files;
}

std::string included(const std::string& line) {
  const std::size_t hash = line.find_first_not_of(" \t");
  if (hash == line.npos || line[hash] != '#') return "";
  const std::size_t word = line.find_first_not_of(" \t", hash + 1);
  if (word == line.npos || line.compare(word, 7, "include") != 0) return "";
  const std::size_t begin = line.find_first_of("<\"", word);
  if (begin == line.npos) return "";
  const std::size_t end = line.find_first_of(">\"", begin + 1);
  return line.substr(begin + 1, end == line.npos ? end : end - begin - 1);
}

std::vector<std::string> folder_violations(const SourceFile& file) {
  std::vector<std::string> found;
  const int own = position(kFolders, top_folder(file.path));
  if (own < 0) return found;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string header = included(file.lines[i]);
    if (header.empty() || !is_quoted(file.lines[i])) continue;
    const int other = position(kFolders, top_folder(header));
    const bool emulated = own == 0 && other == 1;
    // An example to be copied is a project of its own, and names its files as that would.
    const bool copied = file.path.starts_with("examples/") &&
                        !file.path.starts_with("examples/hyena/") &&
                        header.find('/') == header.npos;
    if (copied) continue;
    if (position(kFreeFolders, top_folder(header)) >= 0 || (other > own && !emulated)) {
      found.push_back(
          violation(file, i, std::string(kFolders[own]) + "/ must not include \"" + header + "\""));
    } else if (other < 0) {
      found.push_back(violation(file, i, "\"" + header + "\" is not a path from the root"));
    }
    const int own_room = position(kRooms, room(file.path)),
              other_room = position(kRooms, room(header));
    if (own_room >= 0 && other_room > own_room) {
      found.push_back(violation(
          file, i,
          "framework/" + std::string(kRooms[own_room]) + "/ must not include \"" + header + "\""));
    }
  }
  return found;
}

std::vector<std::string> library_violations(const SourceFile& file) {
  std::vector<std::string> found;
  if (position(kFreeFolders, top_folder(file.path)) >= 0) return found;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    if (is_quoted(file.lines[i])) continue;
    const std::string header = included(file.lines[i]);
    for (const LibraryRule& rule : library_rules()) {
      if (starts_with_any(header, rule.headers) && !starts_with_any(file.path, rule.users)) {
        found.push_back(violation(file, i, "must not include <" + header + ">"));
      }
    }
  }
  return found;
}

std::vector<std::string> kernel_violations(const SourceFile& file) {
  static const std::regex outside(
      "\\b(atomic[A-Z]\\w*|printf|malloc|__shared__|__constant__)\\b|<<<");
  std::vector<std::string> found;
  if (!file.path.starts_with("kernels/cuda/") || file.path == "kernels/cuda/toolbox/runtime.h")
    return found;
  for (std::size_t i = 0; i < file.lines.size(); ++i) {
    const std::string code = file.lines[i].substr(0, file.lines[i].find("//"));
    if (std::smatch word; std::regex_search(code, word, outside)) {
      found.push_back(violation(file, i, "kernels do not use " + word.str()));
    }
  }
  return found;
}

std::vector<std::string> budget_violations(const std::vector<SourceFile>& files) {
  std::map<std::string_view, std::size_t> budgets = {{"tensor", 1500}, {"ops", 2200}, {"nn", 1100}};
  std::vector<std::string> found;
  std::map<std::string_view, std::size_t> lines;
  for (const SourceFile& file : files) {
    if (top_folder(file.path) != "framework") continue;
    if (position(kRooms, room(file.path)) < 0) {
      found.push_back(violation(file, 0, "is in none of framework's rooms"));
    }
    lines[room(file.path)] += file.lines.size();
  }
  for (const auto& [name, most] : budgets) {
    if (lines[name] <= most) continue;
    found.push_back("framework/" + std::string(name) + "/ has " + std::to_string(lines[name]) +
                    " lines, more than " + std::to_string(most));
  }
  return found;
}

std::vector<std::string> form_violations(const SourceFile& file) {
  constexpr std::size_t kMaxLines = 400;
  std::vector<std::string> found;
  const std::string allowed = "abcdefghijklmnopqrstuvwxyz0123456789_./";
  if (file.path.find_first_not_of(allowed) != file.path.npos) {
    found.push_back(violation(file, 0, "file names are snake_case"));
  }
  if (file.lines.size() > kMaxLines) {
    found.push_back(violation(file, kMaxLines, "longer than 400 lines: is it two ideas?"));
  }
  const auto first = std::find_if(
      file.lines.begin(), file.lines.end(),
      [](const std::string& line) { return !line.empty() && !line.starts_with("//"); });
  if (file.path.ends_with(".h") && (first == file.lines.end() || *first != "#pragma once")) {
    found.push_back(violation(file, 0, "a header starts with #pragma once"));
  }
  return found;
}

}  // namespace crocuta::test
