// One rank of an MPI job: the conformance suite, or a scenario of test_mpi_failures.cpp
// or test_nccl_failures.cpp. Without Catch2, whose main would end ranks without
// distributed::shutdown().
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string_view>
#include <thread>

#include "distributed/backends/mpi.h"
#include "distributed/init.h"
#include "tests/distributed/conformance.h"
#include "tests/distributed/failing.h"
#include "tests/distributed/nccl_scenarios.h"

namespace crocuta::test {
namespace {

using namespace std::chrono_literals;

CommOptions patience(std::chrono::milliseconds timeout) {
  CommOptions options;
  options.timeout = timeout;
  return options;
}

void run_cases(const ProcessGroup& world, const std::vector<ConformanceCase>& cases) {
  for (const ConformanceCase& conformance : cases) {
    try {
      conformance.run(world);
    } catch (const std::exception& error) {
      throw Error(str(conformance.name, ": ", error.what()));
    }
  }
}

void conformance(std::string_view backend) {
  const ProcessGroup world = distributed::init(backend);
  run_cases(world, conformance_cases());
  distributed::mpi::set_message_limit(1001);  // parts of many messages, the last one short
  run_cases(world, value_cases());
  run_cases(world, gradient_cases());
  if (world.rank() == 0) std::cout << "conforms with " << world.size() << " ranks\n";
}

void hang() {
  const ProcessGroup world = distributed::init("mpi");
  world.barrier();  // however far apart they start
  world.set_timeout(500ms);
  if (world.rank() == 1) sleep_for_ever();
  world.all_reduce(zeros({4, 8}));
}

void die() {
  const ProcessGroup world = distributed::init("mpi");
  world.barrier();
  if (world.rank() == 1) die_now();
  world.barrier();
}

void throw_alone() {
  const ProcessGroup world = distributed::init("mpi");
  world.barrier();
  if (world.rank() == 1) throw Error("rank 1 gives up");
  world.barrier();
}

void throw_together() {
  const ProcessGroup world = distributed::init("mpi");
  world.barrier();
  throw ArgumentError("everybody gives up");
}

// Without checking, sizes that do not fit are still noticed on arrival.
void unchecked_mismatch() {
  const ProcessGroup world = distributed::init("mpi", patience(2000ms));
  world.set_check_collectives(false);
  world.all_gather(zeros({world.rank() == 0 ? 3 : 2}));
}

void wrong_thread() {
  const ProcessGroup world = distributed::init("mpi");
  std::string message;
  std::thread([&] {
    try {
      world.barrier();
    } catch (const CommError& error) {
      message = error.what();
    }
  }).join();
  world.barrier();
  EXPECT(message.find("called on another thread than distributed::init()") != std::string::npos);
}

void use_after_shutdown() {
  const ProcessGroup world = distributed::init("mpi");
  EXPECT(distributed::shutdown(0) == 0);
  expect_throw<CommError>([&] { world.barrier(); }, {"used after distributed::shutdown()"});
  expect_throw<CommError>([&] { distributed::init("mpi"); }, {"MPI has been shut down"});
}

void init_twice() {
  const ProcessGroup world = distributed::init("mpi");
  const ProcessGroup again = distributed::init("auto");
  EXPECT(again.size() == world.size());
  again.barrier();
}

// The launcher's variables promise more ranks than MPI knows.
void mismatched_launcher() {
  distributed::init("auto");
}

int run(std::string_view scenario) {
  if (scenario == "conformance") return conformance("mpi"), 0;
  if (scenario == "conformance_nccl") return conformance("nccl"), 0;
  if (scenario == "hang") return hang(), 0;
  if (scenario == "die") return die(), 0;
  if (scenario == "throw_alone") return throw_alone(), 0;
  if (scenario == "throw_together") return throw_together(), 0;
  if (scenario == "unchecked_mismatch") return unchecked_mismatch(), 0;
  if (scenario == "wrong_thread") return wrong_thread(), 0;
  if (scenario == "use_after_shutdown") return use_after_shutdown(), 0;
  if (scenario == "init_twice") return init_twice(), 0;
  if (scenario == "mismatched_launcher") return mismatched_launcher(), 0;
#if defined(CROCUTA_NCCL_SCENARIOS)
  for (const NcclScenario& nccl : nccl_scenarios()) {
    if (scenario == nccl.name) return nccl.run(), 0;
  }
#endif
  throw ArgumentError("mpi_program: unknown scenario");
}

// In one piece, since other ranks print, too.
void print(const std::exception& error) {
  std::cerr << str("mpi_program: error: ", error.what(), '\n') << std::flush;
}

}  // namespace
}  // namespace crocuta::test

int main(int argc, char** argv) {
  int status = 0;
  try {
    // "cuda" is each rank's own GPU, which distributed::init() finds.
    const char* device = std::getenv("CROCUTA_TEST_DEVICE");
    if (device == nullptr || std::string_view(device) == "cpu") {
      crocuta::set_default_device(crocuta::Device::cpu());
    }
    status = crocuta::test::run(argc == 2 ? argv[1] : "");
  } catch (const crocuta::ArgumentError& error) {
    crocuta::test::print(error);
    status = 2;
  } catch (const std::exception& error) {
    crocuta::test::print(error);
    status = 1;
  }
  return crocuta::distributed::shutdown(status);
}
