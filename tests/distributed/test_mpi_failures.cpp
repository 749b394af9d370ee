// What the launcher sees when a rank hangs, dies, fails alone or fails with the others: real jobs
// under mpirun, by their exit status, their output and the time they take.
#include <sys/wait.h>

#include <chrono>
#include <cstdio>
#include <string>

#include "tests/support/catch.h"

namespace {

struct Outcome {
  int status = 0;
  std::string output;
  double seconds = 0;
};

Outcome shell(const std::string& command) {
  Outcome outcome;
  const auto start = std::chrono::steady_clock::now();
  // The standard input of mpirun must not be the terminal's.
  FILE* pipe = popen((command + " 2>&1 </dev/null").c_str(), "r");
  REQUIRE(pipe != nullptr);
  char buffer[4096];
  while (std::fgets(buffer, sizeof buffer, pipe) != nullptr) outcome.output += buffer;
  const int result = pclose(pipe);
  outcome.status = WIFEXITED(result) ? WEXITSTATUS(result) : 128 + WTERMSIG(result);
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

Outcome mpirun(int ranks, const std::string& scenario) {
  return shell(std::string(MPIEXEC) + " -n " + std::to_string(ranks) + " " + MPI_PROGRAM + " " +
               scenario);
}

TEST_CASE("a rank that hangs is named and the job ends with an error") {
  const Outcome job = mpirun(3, "hang");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK(job.seconds < 30);
  CHECK_THAT(job.output, ContainsSubstring("all_reduce: rank 0 waited 0.5 s in all_reduce(sum) #2 "
                                           "of float32 [4, 8] for rank 1") ||
                             ContainsSubstring("all_reduce: rank 2 waited 0.5 s in all_reduce(sum) "
                                               "#2 of float32 [4, 8] for rank 1"));
}

TEST_CASE("a killed rank ends the job within seconds") {
  const Outcome job = mpirun(3, "die");
  INFO(job.output);
  CHECK(job.status != 0);
  CHECK(job.seconds < 30);
}

TEST_CASE("a rank that fails alone ends the job, though the others wait for it") {
  const Outcome job = mpirun(3, "throw_alone");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK(job.seconds < 30);
  CHECK_THAT(job.output, ContainsSubstring("mpi_program: error: rank 1 gives up"));
}

TEST_CASE("ranks that fail together end in order, with the status of their error") {
  const Outcome job = mpirun(2, "throw_together");
  INFO(job.output);
  CHECK(job.status == 2);
  CHECK(job.seconds < 30);
  CHECK_THAT(job.output, !ContainsSubstring("MPI_ABORT"));
}

TEST_CASE("unequal sizes are an error between processes even with checking off") {
  const Outcome job = mpirun(2, "unchecked_mismatch");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK(job.seconds < 30);
  CHECK_THAT(job.output, ContainsSubstring("all_gather #1 of float32"));
}

TEST_CASE("only the thread that called init communicates") {
  const Outcome job = mpirun(2, "wrong_thread");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("groups are unusable after shutdown, and MPI does not start again") {
  const Outcome job = mpirun(2, "use_after_shutdown");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("init gives the same world again") {
  const Outcome job = mpirun(2, "init_twice");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("a launcher that MPI does not know is an error, not several ranks 0") {
  const Outcome job = shell(std::string("PMI_SIZE=4 ") + MPI_PROGRAM + " mismatched_launcher");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring("the launcher started 4 processes, MPI counts 1"));
}

}  // namespace
