// Which group a program gets, from the launcher's environment. What several processes get is in
// test_mpi_failures.cpp.
#include <sched.h>
#include <unistd.h>

#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "distributed/init.h"
#include "framework/base/log.h"
#include "tests/support/catch.h"

namespace crocuta {
namespace {

const char* const kVariables[] = {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_ID",
                                  "SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"};

using Variables = std::vector<std::pair<const char*, const char*>>;

// An environment in which only these variables speak of a launcher.
class Environment {
 public:
  explicit Environment(const Variables& variables) {
    clear();
    for (const auto& [name, value] : variables) setenv(name, value, 1);
  }
  ~Environment() { clear(); }

 private:
  static void clear() {
    for (const char* name : kVariables) unsetenv(name);
  }
};

template <class E>
std::string failure_of(std::string_view backend) {
  try {
    distributed::init(backend);
  } catch (const E& error) {
    return error.what();
  }
  return "";
}

TEST_CASE("a program started alone is a group of one") {
  const Environment environment(Variables{});
  CHECK_FALSE(distributed::launched_processes());
  CHECK(distributed::init().size() == 1);
  CHECK(distributed::init("self").rank() == 0);
  CHECK(distributed::shutdown(3) == 3);
}

TEST_CASE("a launcher with one process gives the group of one") {
  const Environment environment(Variables{{"OMPI_COMM_WORLD_SIZE", "1"}});
  CHECK(distributed::launched_processes() == 1);
  CHECK(distributed::init("auto").size() == 1);
}

TEST_CASE("every launcher is understood") {
  const auto processes = [](const Variables& variables) {
    const Environment environment(variables);
    return distributed::launched_processes();
  };
  CHECK(processes(Variables{{"OMPI_COMM_WORLD_SIZE", "4"}}) == 4);
  CHECK(processes(Variables{{"PMI_SIZE", "3"}}) == 3);
  CHECK(processes(Variables{{"SLURM_STEP_ID", "0"}, {"SLURM_NTASKS", "8"}}) == 8);
  // An interactive step of one task in a larger allocation.
  CHECK(processes(Variables{
            {"SLURM_STEP_ID", "0"}, {"SLURM_STEP_NUM_TASKS", "1"}, {"SLURM_NTASKS", "8"}}) == 1);
}

TEST_CASE("a Slurm allocation without srun is one process") {
  const Environment environment(Variables{{"SLURM_NTASKS", "8"}});
  CHECK_FALSE(distributed::launched_processes());
  CHECK(distributed::init("auto").size() == 1);
}

TEST_CASE("backends that do not exist or do not fit are errors") {
  const Environment environment(Variables{});
  CHECK(failure_of<ArgumentError>("tpu") ==
        "distributed::init: 'backend': expected auto, self, mpi or nccl, got tpu");
#if !defined(CROCUTA_WITH_NCCL)  // test_nccl.cpp has the other case
  CHECK_THAT(failure_of<ArgumentError>("nccl"), ContainsSubstring("this build has none"));
#endif
  CHECK_THAT(failure_of<CommError>("mpi"), ContainsSubstring("needs a launcher"));
}

TEST_CASE("one of several processes cannot be a group of one") {
  const Environment environment(Variables{{"OMPI_COMM_WORLD_SIZE", "2"}});
  CHECK_THAT(
      failure_of<CommError>("self"),
      ContainsSubstring("launched as one of 2 processes, each of which would take itself for "
                        "the only one: asked for the backend 'self'"));
}

#if !defined(CROCUTA_WITH_MPI)
TEST_CASE("a build without MPI says under a launcher which packages to install, and how") {
  const Environment environment(Variables{{"OMPI_COMM_WORLD_SIZE", "2"}});
  CHECK_THAT(failure_of<CommError>("auto"),
             ContainsSubstring("this build has no MPI; install libopenmpi-dev and openmpi-bin "
                               "(scripts/deps.sh --mpi), then configure and build again"));
}
#endif

TEST_CASE("a launcher's count that is no number is an error") {
  for (const char* count : {"", "x", "-1", "0", "4x", "99999999999999"}) {
    const Environment environment(Variables{{"OMPI_COMM_WORLD_SIZE", count}});
    CHECK_THAT(failure_of<CommError>("auto"),
               ContainsSubstring("'OMPI_COMM_WORLD_SIZE': expected a number of processes"));
  }
}

TEST_CASE("a process bound to less than its share of the cores is told so") {
  if (sysconf(_SC_NPROCESSORS_ONLN) < 2) SKIP_TEST("one core cannot be divided");
  cpu_set_t before, one;
  REQUIRE(sched_getaffinity(0, sizeof before, &before) == 0);
  if (CPU_COUNT(&before) < 2) SKIP_TEST("this process is already bound to one core");
  CPU_ZERO(&one);
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &before)) continue;
    CPU_SET(cpu, &one);
    break;
  }
  std::string warnings;
  set_log_sink([&](LogLevel, const std::string& line) { warnings += line; });
  const Environment environment(Variables{{"OMPI_COMM_WORLD_SIZE", "1"}});
  distributed::init();
  CHECK(warnings == "");
  REQUIRE(sched_setaffinity(0, sizeof one, &one) == 0);
  distributed::init();
  REQUIRE(sched_setaffinity(0, sizeof before, &before) == 0);
  set_log_sink({});
  CHECK_THAT(warnings, ContainsSubstring("has bound this process to 1 of the machine's") &&
                           ContainsSubstring("mpirun --bind-to none"));
}

TEST_CASE("collective checks follow the environment") {
  setenv("CROCUTA_CHECK_COLLECTIVES", "1", 1);
  CHECK(CommOptions{}.check_collectives);
  setenv("CROCUTA_CHECK_COLLECTIVES", "0", 1);
  CHECK_FALSE(CommOptions{}.check_collectives);
  setenv("CROCUTA_CHECK_COLLECTIVES", "yes", 1);
  CHECK_THROWS_AS(CommOptions{}, ArgumentError);
  unsetenv("CROCUTA_CHECK_COLLECTIVES");
}

}  // namespace
}  // namespace crocuta
