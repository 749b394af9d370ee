// Runs a fuzz target over the files of the folders given, so that what a fuzzer once found is
// looked at with every compiler and sanitizer.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "tests/fuzz/target.h"

int main(int argc, char** argv) {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i) {
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) {
      files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  std::size_t inputs = 0;
  for (const auto& file : files) {
    std::ifstream in(file, std::ios::binary);
    const std::vector<char> bytes{std::istreambuf_iterator<char>(in), {}};
    // Every prefix, too: a file that breaks off anywhere.
    const std::size_t step = std::max<std::size_t>(1, bytes.size() / 256);
    for (std::size_t size = 0; size <= bytes.size(); size += step, ++inputs) {
      // A copy of its own, so that AddressSanitizer sees where it ends.
      const std::vector<std::uint8_t> input(bytes.begin(),
                                            bytes.begin() + static_cast<std::ptrdiff_t>(size));
      LLVMFuzzerTestOneInput(input.data(), input.size());
    }
    const std::vector<std::uint8_t> whole(bytes.begin(), bytes.end());
    LLVMFuzzerTestOneInput(whole.data(), whole.size());
  }
  std::printf("%zu files, %zu inputs\n", files.size(), inputs + files.size());
  return files.empty() ? 1 : 0;
}
