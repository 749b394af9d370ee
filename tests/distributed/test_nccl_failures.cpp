// Jobs on emulated GPUs, one for each rank unless said otherwise: which backend is chosen, and what
// happens when NCCL, a GPU or a rank fails.
#include "tests/distributed/failing.h"
#include "tests/distributed/mpi_job.h"
#include "tests/support/catch.h"

namespace crocuta::test {
namespace {

// With memory cached as in programs: giving it back would wait for GPUs that have stalled.
JobOutcome run(int ranks, const std::string& scenario, int gpus = 4, const std::string& more = "") {
  JobOutcome job =
      mpirun(ranks, "nccl_" + scenario,
             "CROCUTA_TEST_DEVICE=cuda CROCUTA_CUDA_CACHE=1 CROCUTA_EMULATED_DEVICES=" +
                 std::to_string(gpus) + " " + more);
  UNSCOPED_INFO(job.output);
  CHECK_THAT(job.output, !ContainsSubstring("the result holds"));
  return job;
}

// The job ends with an error, and waits for nobody's end.
void check_fails(const JobOutcome& job, const std::string& text) {
  CHECK(job.status == 1);
  CHECK_THAT(job.output, ContainsSubstring(text));
  CHECK_THAT(job.output, !ContainsSubstring(kAwake));
}

TEST_CASE("each rank on a GPU of its own chooses NCCL") {
  CHECK(run(3, "choose_nccl").status == 0);
}

TEST_CASE("ranks that share a GPU go through the host and are told so") {
  const JobOutcome job = run(2, "choose_mpi", 1);
  CHECK(job.status == 0);
  CHECK_THAT(job.output, ContainsSubstring("through the host's memory"));
  CHECK_THAT(job.output,
             ContainsSubstring("cuda:0") && ContainsSubstring("for both rank 0 and rank 1"));
}

TEST_CASE("two ranks on one GPU are an error that names both") {
  const JobOutcome job = run(3, "insist_on_nccl", 2);
  CHECK(job.status == 2);
  CHECK_THAT(job.output, ContainsSubstring("expected a GPU of its own for each rank, which nccl "
                                           "needs, got cuda:0 ("));
  CHECK_THAT(job.output, ContainsSubstring("for both rank 0 and rank 2"));
}

TEST_CASE("between GPUs nothing goes through the host") {
  CHECK(run(3, "nothing_goes_through_the_host").status == 0);
}

TEST_CASE("a rank that does not join a collective on GPUs is named") {
  const JobOutcome job = run(3, "hang");
  const std::string text = " waited 0.5 s in all_reduce(sum) #2 of float32 [4, 8] for rank 1";
  check_fails(job, text);
  CHECK_THAT(job.output, ContainsSubstring("all_reduce: rank 0" + text) ||
                             ContainsSubstring("all_reduce: rank 2" + text));
}

TEST_CASE("a rank that does not join is noticed while the others wait for their GPUs") {
  check_fails(run(3, "hang_unnoticed"),
              " waited 0.5 s in all_reduce(sum) #2 of float32 [4, 8] for rank 1");
}

TEST_CASE("a rank that does not join is noticed while the others wait for each kernel") {
  check_fails(run(3, "hang_unnoticed", 4, "CROCUTA_CUDA_SYNC=1"),
              " waited 0.5 s in all_reduce(sum) #2 of float32 [4, 8] for rank 1");
}

TEST_CASE("GPUs that do not finish a collective end the waiting, and nobody reads what it left") {
  check_fails(
      run(2, "stall"),
      " waited 0.5 s in all_reduce(sum) #2 of float32 [4, 8], though all ranks have joined");
}

TEST_CASE("the next collective tells of one that did not end") {
  check_fails(run(2, "stall_then_collective"),
              "all_to_all: rank 0 waited 0.2 s in all_to_all #2 of float32 [2, 3]");
}

TEST_CASE("a process that aborting does not free from its GPU ends all the same") {
  const JobOutcome job = run(2, "endless_stall");
  check_fails(job, "error: all_reduce: rank ");
  CHECK_THAT(job.output,
             ContainsSubstring(" waited 0.5 s in all_reduce(sum) #2 of float32 [4, 8]"));
}

TEST_CASE("work on the GPU before a collective does not count as waiting") {
  CHECK(run(2, "long_work_before").status == 0);
}

TEST_CASE("a group may be destroyed while its collectives are under way") {
  CHECK(run(2, "forget_group").status == 0);
  check_fails(run(2, "forget_stalled_group"),
              " waited 0.5 s in all_reduce(sum) #1 of float32 [4, 8]");
}

TEST_CASE("an error that NCCL reports later names rank and collective") {
  check_fails(
      run(2, "remote_error"),
      "all_gather: rank 0: NCCL failed in all_gather #2 of float32 [5]: remote process exited");
}

TEST_CASE("an error that NCCL reports at once names rank and collective") {
  check_fails(run(2, "refusal"),
              ": NCCL failed in broadcast #2 of float32 [5] from rank 1: internal error");
}

TEST_CASE("after a failure a group says so at each use, and the GPU can still be used") {
  const JobOutcome job = run(2, "use_after_failure");
  CHECK(job.status == 1);  // a job in which ranks have given each other up cannot end well
  CHECK_THAT(job.output, ContainsSubstring("the GPU still works"));
  CHECK_THAT(job.output, !ContainsSubstring("error: "));
}

TEST_CASE("unequal sizes that nobody compared are found out when NCCL has waited too long") {
  check_fails(
      run(2, "unchecked_mismatch"),
      "all_gather: 'rank 1': expected the call of rank 0, all_gather #2 of float32 [3], got "
      "all_gather #2 of float32 [2]");
}

TEST_CASE("ranks must have their tensors all on GPUs or all on the CPU") {
  check_fails(run(2, "mixed_devices"),
              "all_gather #2 of float32 [3] on the CPU, got all_gather #2 of float32 [3] on a GPU");
}

TEST_CASE("a rank that fails alone ends a job on GPUs") {
  check_fails(run(3, "throw_alone"), "mpi_program: error: rank 1 gives up");
}

TEST_CASE("a killed rank ends a job on GPUs") {
  const JobOutcome job = run(3, "die");
  CHECK(job.status != 0);
  CHECK_THAT(job.output, ContainsSubstring(kDying));  // so the program did run
  CHECK_THAT(job.output, !ContainsSubstring(" waited "));
}

TEST_CASE("a rank that does not come to a split is named") {
  check_fails(run(3, "hang_in_split"), " waited 0.5 s in split #2 for rank 1");
}

TEST_CASE("groups of GPUs are unusable after shutdown") {
  CHECK(run(2, "use_after_shutdown").status == 0);
}

}  // namespace
}  // namespace crocuta::test
