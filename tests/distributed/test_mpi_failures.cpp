// What the launcher sees when a rank hangs, dies, fails alone or fails with the others: real jobs
// under mpirun, by their exit status and their output. A job that hangs runs into the time limit.
#include "tests/distributed/failing.h"
#include "tests/distributed/mpi_job.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

TEST_CASE("a rank that hangs is named and the job ends with an error") {
  const JobOutcome job = mpirun(3, "hang");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring("all_reduce: rank 0 waited 0.5 s in all_reduce(sum) #2 "
                                           "of float32 [4, 8] for rank 1") ||
                             ContainsSubstring("all_reduce: rank 2 waited 0.5 s in all_reduce(sum) "
                                               "#2 of float32 [4, 8] for rank 1"));
  CHECK_THAT(job.output, !ContainsSubstring(kAwake));
}

TEST_CASE("a killed rank ends the job before anybody has waited for it in vain") {
  const JobOutcome job = mpirun(3, "die");
  INFO(job.output);
  CHECK(job.status != 0);
  CHECK_THAT(job.output, ContainsSubstring(kDying));  // so the program did run
  CHECK_THAT(job.output, !ContainsSubstring(" waited "));
}

TEST_CASE("a rank that fails alone ends the job, though the others wait for it") {
  const JobOutcome job = mpirun(3, "throw_alone");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring("mpi_program: error: rank 1 gives up"));
  CHECK_THAT(job.output, !ContainsSubstring(" waited "));
}

TEST_CASE("ranks that fail together end in order, with the status of their error") {
  const JobOutcome job = mpirun(2, "throw_together");
  INFO(job.output);
  CHECK(job.status == 2);
  CHECK_THAT(job.output, ContainsSubstring("mpi_program: error: everybody gives up"));
  CHECK_THAT(job.output, !ContainsSubstring("MPI_ABORT"));
}

TEST_CASE("unequal sizes are an error between processes even with checking off") {
  const JobOutcome job = mpirun(2, "unchecked_mismatch");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring("all_gather #1 of float32"));
}

TEST_CASE("only the thread that called init communicates") {
  const JobOutcome job = mpirun(2, "wrong_thread");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("groups are unusable after shutdown, and MPI does not start again") {
  const JobOutcome job = mpirun(2, "use_after_shutdown");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("init gives the same world again") {
  const JobOutcome job = mpirun(2, "init_twice");
  INFO(job.output);
  CHECK(job.status == 0);
}

TEST_CASE("a launcher that MPI does not know is an error, not several ranks 0") {
  const JobOutcome job = run_alone("mismatched_launcher", "PMI_SIZE=4");
  INFO(job.output);
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring("the launcher started 4 processes, MPI counts 1"));
}

}  // namespace
}  // namespace crocuta::test
