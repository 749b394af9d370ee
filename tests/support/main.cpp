// The main() of every test program: Catch2, plus an account of what was skipped and why.
//
// Ends with `<program>: N passed, N failed, N skipped` (test cases, not assertions) and exits with
// 0, with 1 when something failed, or with 77 when every case that ran was skipped. A case without
// a single assertion counts as failed: it could not have failed otherwise. Tensors that name no
// device go to CROCUTA_TEST_DEVICE, as --device takes it; without, to the CPU.
#if !__has_include(<catch2/catch_test_macros.hpp>)
#define CATCH_CONFIG_RUNNER
#endif
#include "framework/base/error.h"
#include "framework/device/device.h"
#include "tests/support/catch.h"

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_session.hpp>
#include <catch2/catch_test_case_info.hpp>
#include <catch2/reporters/catch_reporter_event_listener.hpp>
#include <catch2/reporters/catch_reporter_registrars.hpp>
namespace {
using ListenerBase = Catch::EventListenerBase;
}
#else
namespace {
using ListenerBase = Catch::TestEventListenerBase;
}
#endif

#include <cstdlib>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr int kAllSkipped = 77;  // what ctest takes for "skipped", see tests/CMakeLists.txt

struct Account {
  bool run_started = false;
  int passed = 0, failed = 0, skipped = 0;
  std::vector<std::string> reasons;  // why the running case skips, in whole or in part
};
Account account;

// Catch2 2 hands out the object, version 3 a pointer to it.
[[maybe_unused]] const Catch::TestCaseInfo& info(const Catch::TestCaseInfo& test) {
  return test;
}
[[maybe_unused]] const Catch::TestCaseInfo& info(const Catch::TestCaseInfo* test) {
  return *test;
}

class CountCases : public ListenerBase {
 public:
  using ListenerBase::ListenerBase;

  void testRunStarting(const Catch::TestRunInfo&) override { account.run_started = true; }

  void testCaseStarting(const Catch::TestCaseInfo&) override { account.reasons.clear(); }

  void testCaseEnded(const Catch::TestCaseStats& stats) override {
    const std::string& name = info(stats.testInfo).name;
    const bool asserted = stats.totals.assertions.total() > 0;
    if (!stats.totals.testCases.allOk()) {
      ++account.failed;
    } else if (asserted) {
      ++account.passed;
    } else if (!account.reasons.empty()) {
      ++account.skipped;
    } else {
      ++account.failed;
      std::cout << "failed: " << name << ": it asserts nothing\n";
    }
    for (const std::string& reason : account.reasons) {
      std::cout << (asserted ? "skipped in part: " : "skipped: ") << reason << " [" << name
                << "]\n";
    }
  }
};

// Under mpirun or srun every rank runs the tests; only one of them needs to report.
bool is_reporting_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) {
    if (const char* rank = std::getenv(variable)) return std::string_view(rank) == "0";
  }
  return true;
}

bool requires_gpu() {
  const char* value = std::getenv("CROCUTA_REQUIRE_GPU");
  return value && std::string_view(value) == "1";
}

CATCH_REGISTER_LISTENER(CountCases)

}  // namespace

namespace crocuta::test {

void note_skip(const std::string& reason) {
  if (requires_gpu() && reason.starts_with("no GPU")) {
    FAIL("CROCUTA_REQUIRE_GPU=1, but this test would be skipped: " << reason);
  }
  account.reasons.push_back(reason);
}

}  // namespace crocuta::test

int main(int argc, char** argv) {
  // The device that tensors and layers of the tests go to which name none.
  const char* device = std::getenv("CROCUTA_TEST_DEVICE");
  try {
    crocuta::set_default_device(
        crocuta::parse_device(device ? device : "cpu", "CROCUTA_TEST_DEVICE"));
  } catch (const crocuta::DeviceError& error) {
    std::cout << "skipped: no GPU for the tests: " << error.what() << std::endl;
    return requires_gpu() ? 1 : kAllSkipped;
  }
  const int result = Catch::Session().run(argc, argv);
  if (!account.run_started) return result;  // --help, --list-tests, a bad flag
  if (is_reporting_rank()) {
    const std::string program(argv[0]);
    std::cout << program.substr(program.find_last_of('/') + 1) << ": " << account.passed
              << " passed, " << account.failed << " failed, " << account.skipped << " skipped"
              << std::endl;
  }
  if (result != 0 || account.failed > 0) return 1;
  if (account.passed == 0) return account.skipped > 0 ? kAllSkipped : 1;  // 1: no case matched
  return 0;
}
