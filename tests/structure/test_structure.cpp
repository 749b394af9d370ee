// The source tree keeps the rules of docs/architecture.md.
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <regex>
#include <set>
#include <sstream>

#include "tests/structure/source_tree.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

const std::string kRoot = CROCUTA_SOURCE_DIR;

std::string read(const std::string& path) {
  std::ifstream in(kRoot + "/" + path);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <class Rule>
std::vector<std::string> check_all(Rule rule) {
  std::vector<std::string> found;
  for (const SourceFile& file : source_files(kRoot)) {
    for (std::string& violation : rule(file)) found.push_back(std::move(violation));
  }
  return found;
}

using Violations = std::vector<std::string>;

}  // namespace

TEST_CASE("all source files are found") {
  std::set<std::string> paths;
  for (const SourceFile& file : source_files(kRoot)) paths.insert(file.path);
  CHECK(paths.count("framework/tensor/tensor.h") == 1);
  CHECK(paths.count("kernels/cpu/elementwise.cpp") == 1);
  CHECK(paths.count("tests/structure/test_structure.cpp") == 1);
}

TEST_CASE("folders include only themselves and the folders below") {
  CHECK(check_all(folder_violations) == Violations{});
}

TEST_CASE("an include against the order of the folders is noticed") {
  CHECK(folder_violations({"kernels/cpu/a.cpp", {"", "#include \"framework/tensor/tensor.h\""}}) ==
        Violations{"kernels/cpu/a.cpp:2: kernels/ must not include \"framework/tensor/tensor.h\""});
  CHECK(folder_violations({"layers/a.h", {"# include \"tests/support/catch.h\""}}) ==
        Violations{"layers/a.h:1: layers/ must not include \"tests/support/catch.h\""});
  CHECK(folder_violations({"layers/a.cpp", {"#include \"a.h\""}}) ==
        Violations{"layers/a.cpp:1: \"a.h\" is not a path from the root"});
  CHECK(folder_violations({"examples/hyena/a.cpp", {"#include \"kernels/types.h\""}}).empty());
  CHECK(folder_violations({"examples/new_op/a.cpp", {"#include \"a.h\""}}).empty());
  CHECK(folder_violations({"examples/hyena/a.cpp", {"#include \"a.h\""}}).size() == 1);
}

TEST_CASE("the rooms of framework/ include only themselves and those before") {
  CHECK(
      folder_violations({"framework/tensor/a.cpp", {"#include \"framework/ops/ops.h\""}}) ==
      Violations{
          "framework/tensor/a.cpp:1: framework/tensor/ must not include \"framework/ops/ops.h\""});
  CHECK(folder_violations({"framework/base/a.h", {"#include \"framework/device/device.h\""}})
            .size() == 1);
  CHECK(folder_violations({"framework/io/a.cpp", {"#include \"framework/base/file.h\""}}).empty());
  CHECK(folder_violations({"layers/a.cpp", {"#include \"framework/io/a.h\""}}).empty());
}

TEST_CASE("the rooms of framework/ keep to their budgets of lines") {
  CHECK(budget_violations(source_files(kRoot)) == Violations{});
}

TEST_CASE("a room that has outgrown its budget is noticed, and a file in none") {
  const std::vector<std::string> lines(751);
  CHECK(
      budget_violations({{"framework/tensor/a.h", lines}, {"framework/io/a.cpp", lines}}).empty());
  CHECK(budget_violations({{"framework/tensor/a.h", lines}, {"framework/tensor/a.cpp", lines}}) ==
        Violations{"framework/tensor/ has 1502 lines, more than 1500"});
  CHECK(budget_violations({{"framework/a.h", {""}}}) ==
        Violations{"framework/a.h:1: is in none of framework's rooms"});
}

TEST_CASE("CUDA, MPI, NCCL, BLAS, FFT and the heavy headers stay where they belong") {
  CHECK(check_all(library_violations) == Violations{});
}

TEST_CASE("a library included from the wrong file is noticed") {
  CHECK(library_violations({"framework/tensor/tensor.cpp", {"#include <cuda_runtime.h>"}}).size() ==
        1);
  CHECK(library_violations({"kernels/cpu/gemm.cpp", {"#include <cblas.h>"}}).size() == 1);
  CHECK(library_violations({"kernels/cpu/fft_plan.cpp", {"#include <fftw3.h>"}}).size() == 1);
  CHECK(library_violations({"kernels/cuda/copy.cu", {"#include <cublas_v2.h>"}}).size() == 1);
  CHECK(library_violations({"distributed/backends/threads.cpp", {"#include <mpi.h>"}}).size() == 1);
  CHECK(library_violations({"distributed/backends/mpi.cpp", {"#include <mpi.h>"}}).empty());
}

TEST_CASE("each slow library is included by one .cpp and by no header") {
  std::map<std::string, std::set<std::string>> users = {
      {"spdlog/", {}}, {"nlohmann/", {}}, {"CLI/", {}}};
  for (const SourceFile& file : source_files(kRoot)) {
    for (const std::string& line : file.lines) {
      const std::string header = included(line);
      for (auto& [library, paths] : users) {
        if (header.starts_with(library)) paths.insert(file.path);
      }
    }
  }
  for (const auto& [library, paths] : users) {
    CAPTURE(library, paths);
    CHECK(paths.size() <= 1);
    for (const std::string& path : paths) CHECK(path.ends_with(".cpp"));
  }
}

TEST_CASE("kernels use no more of CUDA than docs/emulation.md allows") {
  CHECK(check_all(kernel_violations) == Violations{});
}

TEST_CASE("what kernels may not use is noticed") {
  const std::vector<std::string> lines = {"atomicAdd(y, 1.0f);", "__shared__ float tile[32];",
                                          "kernel<<<1, 32>>>(y);", "printf(\"%d\", i);"};
  CHECK(kernel_violations({"kernels/cuda/a.cu", lines}).size() == 4);
  CHECK(
      kernel_violations({"kernels/cuda/a.cu", {"// no atomicAdd", "std::atomic<int> n;"}}).empty());
  CHECK(kernel_violations({"kernels/cpu/a.cpp", lines}).empty());
}

TEST_CASE("names, lengths and include guards keep one form") {
  CHECK(check_all(form_violations) == Violations{});
}

TEST_CASE("a misnamed, overlong or unguarded file is noticed") {
  CHECK(form_violations({"layers/MyLayer.cpp", {}}).size() == 1);
  CHECK(form_violations({"layers/a.cpp", std::vector<std::string>(401)}).size() == 1);
  CHECK(form_violations({"layers/a.h", {"// Text.", "", "#include <vector>"}}).size() == 1);
  CHECK(form_violations({"layers/a.h", {"// Text.", "#pragma once"}}).empty());
}

TEST_CASE("the quickstart in the README is that of the smoke test, word for word") {
  // Indentation and the CHECKs apart.
  const auto lines = [](const std::string& text) {
    std::istringstream in(text);
    std::string joined;
    for (std::string line; std::getline(in, line);) {
      const std::size_t begin = line.find_first_not_of(' ');
      if (begin != line.npos && !line.substr(begin).starts_with("CHECK(")) {
        joined += line.substr(begin) + "\n";
      }
    }
    return joined;
  };
  const std::string readme = read("README.md");
  const std::size_t begin = readme.find("```cpp\n");
  REQUIRE(begin != readme.npos);
  const std::string block = readme.substr(begin + 7, readme.find("```\n", begin + 7) - begin - 7);
  REQUIRE(block.find("backward()") != block.npos);
  CHECK(lines(read("tests/test_tiny.cpp")).find(lines(block)) != std::string::npos);
}

// CROCUTA_REQUIRE_GPU=1 turns skips for want of a GPU into failures; a second one is not required.
TEST_CASE("a test that skips for want of a second GPU does not say that there is none") {
  const std::regex wants_two(R"(count(\(\))? < 2\) SKIP_TEST\("no GPU)");
  int seen = 0;
  for (const SourceFile& file : source_files(kRoot)) {
    for (const std::string& line : file.lines) {
      INFO(file.path << ": " << line);
      CHECK_FALSE(std::regex_search(line, wants_two));
      seen += line.find("SKIP_TEST(\"only one GPU\")") != line.npos;
    }
  }
  CHECK(seen > 0);
}

TEST_CASE("docs/gpu-verification.md says of every CUDA kernel file whether a GPU has run it") {
  // In a table's line, so that the line's other columns say it.
  std::string tables;
  std::istringstream in(read("docs/gpu-verification.md"));
  for (std::string line; std::getline(in, line);) {
    if (line.starts_with("| ")) tables += line + "\n";
  }
  int seen = 0;
  for (const SourceFile& file : source_files(kRoot)) {
    if (!file.path.starts_with("kernels/cuda/") || file.path.ends_with(".cpp")) continue;
    INFO(file.path);
    CHECK(tables.find("`" + file.path.substr(13) + "`") != tables.npos);
    ++seen;
  }
  CHECK(seen > 40);
  const std::regex name("`([a-z0-9_/]+\\.(cu|h))`");
  for (std::sregex_iterator i(tables.begin(), tables.end(), name), end; i != end; ++i) {
    INFO((*i)[1].str());
    CHECK(std::filesystem::exists(kRoot + "/kernels/cuda/" + (*i)[1].str()));
  }
}

TEST_CASE("every test file is built and run") {
  const std::string list = read("tests/CMakeLists.txt");
  REQUIRE(!list.empty());
  for (const SourceFile& file : source_files(kRoot)) {
    const std::size_t name = file.path.find_last_of('/') + 1;
    if (!file.path.starts_with("tests/") || file.path.compare(name, 5, "test_") != 0) continue;
    if (!file.path.ends_with(".cpp")) continue;
    INFO(file.path);
    CHECK(list.find("(" + file.path.substr(6)) != list.npos);
  }
}

}  // namespace crocuta::test
