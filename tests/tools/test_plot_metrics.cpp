// tools/plot_metrics.py: what it says where it cannot draw.
#include <algorithm>
#include <filesystem>
#include <fstream>

#include "tests/support/catch.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

constexpr const char* kEnv = "/usr/bin/env";
const std::string kScript = CROCUTA_SOURCE_DIR "/tools/plot_metrics.py";

void write(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

bool no_python() {
  return run_program({kEnv, "python3", "-c", ""}).status != 0;
}

}  // namespace

TEST_CASE("the hint for matplotlib installs it for the Python in use") {
  if (no_python()) SKIP_TEST("there is no Python");
  const TemporaryDirectory folder;
  write(folder.path("metrics.jsonl"), "{\"step\": 1, \"loss\": 2}\n");
  // Without what is installed beside the standard library.
  const auto hint = [&](const std::string& python) {
    const ProgramResult result = run_program({kEnv, python, "-S", kScript, folder.path()});
    CHECK(result.status == 1);
    const std::string head = "plot_metrics: error: matplotlib is missing; install it with: ";
    REQUIRE(result.err.starts_with(head));
    return result.err.substr(head.size());
  };
  const std::string environment = folder.path("my venv");
  REQUIRE(run_program({kEnv, "python3", "-m", "venv", "--without-pip", environment}).status == 0);
  CHECK(hint(environment + "/bin/python3") ==
        "'" + environment + "/bin/python3' -m pip install matplotlib\n");
  if (std::filesystem::exists("/usr/bin/python3") && std::filesystem::exists("/usr/bin/apt-get")) {
    CHECK_THAT(hint("/usr/bin/python3"), ContainsSubstring("apt-get install python3-matplotlib\n"));
  }
}

TEST_CASE("a standard output that is full is an error of the plotting script, too") {
  if (no_python()) SKIP_TEST("there is no Python");
  const TemporaryDirectory folder;
  write(folder.path("metrics.jsonl"), "{\"step\": 1, \"loss\": 2}\n");
  std::filesystem::create_directory(folder.path("matplotlib"));  // one that draws nothing
  write(folder.path("matplotlib/__init__.py"), "def use(name):\n    pass\n");
  write(folder.path("matplotlib/pyplot.py"),
        "from unittest.mock import MagicMock\n\n\n"
        "def subplots(*_, **__):\n    return MagicMock(), (MagicMock(), MagicMock())\n");
  const ProgramResult result = run_program({"/bin/bash", "-c",
                                            "PYTHONPATH='" + folder.path() + "' python3 '" +
                                                kScript + "' '" + folder.path() + "' > /dev/full"});
  CHECK(result.status == 1);
  CHECK(result.err.starts_with("plot_metrics: error: standard output: "));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
}

}  // namespace crocuta::test
