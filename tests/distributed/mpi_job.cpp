#include "tests/distributed/mpi_job.h"

#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <stdexcept>

namespace crocuta::test {
namespace {

JobOutcome shell(const std::string& command) {
  JobOutcome outcome;
  const auto start = std::chrono::steady_clock::now();
  // The standard input of mpirun must not be the terminal's.
  FILE* pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("popen failed");
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) outcome.output += buffer;
  const int result = pclose(pipe);
  outcome.status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

}  // namespace

JobOutcome mpirun(int ranks, const std::string& scenario, const std::string& variables) {
  return shell("env " + variables + " " + MPIEXEC + " -n " + std::to_string(ranks) + " " +
               MPI_PROGRAM + " " + scenario);
}

JobOutcome run_alone(const std::string& scenario, const std::string& variables) {
  return shell("env " + variables + " " + MPI_PROGRAM + " " + scenario);
}

}  // namespace crocuta::test
