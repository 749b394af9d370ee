#include "tests/distributed/mpi_job.h"

#include <sys/wait.h>

#include <cstdio>
#include <stdexcept>

namespace crocuta::test {
namespace {

JobOutcome shell(const std::string& command) {
  JobOutcome outcome;
  // The standard input of mpirun must not be the terminal's.
  FILE* pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) outcome.output += buffer;
  const int result = pclose(pipe);
  outcome.status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  return outcome;
}

// The folders of both may have blanks in their names.
constexpr const char* kProgram = "'" MPI_PROGRAM "' ";
constexpr const char* kMpirun = " '" CROCUTA_MPIRUN "' -n ";

}  // namespace

JobOutcome mpirun(int ranks, const std::string& scenario, const std::string& variables) {
  return shell("env " + variables + kMpirun + std::to_string(ranks) + " " + kProgram + scenario);
}

JobOutcome run_alone(const std::string& scenario, const std::string& variables) {
  return shell("env " + variables + " " + kProgram + scenario);
}

}  // namespace crocuta::test
