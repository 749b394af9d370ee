#include "distributed/init.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "distributed/host_backend.h"
#include "kernels/cpu/parallel.h"
#if defined(CROCUTA_WITH_MPI)
#include "distributed/mpi.h"
#endif

namespace crocuta::distributed {
namespace {

std::optional<int> count_in(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end || value < 1) {
    fail<CommError>("distributed::init", variable, "a number of processes", printable(text));
  }
  return value;
}

#if defined(CROCUTA_WITH_MPI)
// Ranks on one machine share its cores. A launcher that binds processes has already done so, and
// the runtime's default then is smaller than the share.
void share_cores(int launched) {
  if (std::getenv("OMP_NUM_THREADS") != nullptr) return;
  std::optional<int> here = count_in("OMPI_COMM_WORLD_LOCAL_SIZE");
  if (!here) here = count_in("MPI_LOCALNRANKS");
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  const int share = std::max(1, cores / here.value_or(launched));
  kernels::set_thread_count(std::min(share, kernels::thread_count()));
}
#endif

[[noreturn]] void strangers(int launched, std::string_view why) {
  throw CommError(str("distributed::init: launched as one of ", launched, " processes, but ", why,
                      ": each would take itself for the only one"));
}

}  // namespace

std::optional<int> launched_processes() {
  if (const auto n = count_in("OMPI_COMM_WORLD_SIZE")) return n;  // OpenMPI's mpirun
  if (const auto n = count_in("PMI_SIZE")) return n;  // MPICH, Intel MPI, srun --mpi=pmi2
  // Slurm sets SLURM_NTASKS in the batch script and in salloc's shell, too, where one process runs;
  // only srun starts a step.
  if (std::getenv("SLURM_STEP_ID") == nullptr) return std::nullopt;
  if (const auto n = count_in("SLURM_STEP_NUM_TASKS")) return n;
  return count_in("SLURM_NTASKS");
}

ProcessGroup init(std::string_view backend, const CommOptions& options) {
  if (backend == "nccl") {
    throw DeviceError(
        "distributed::init: 'backend': expected one that is built in (self, mpi), "
        "got nccl: this build has none; configure with -DCROCUTA_NCCL=ON");
  }
  if (backend != "auto" && backend != "self" && backend != "mpi") {
    fail<ArgumentError>("distributed::init", "backend", "auto, self, mpi or nccl",
                        printable(backend));
  }
  const std::optional<int> launched = launched_processes();
  const bool several = launched.value_or(1) > 1;
  if (backend == "self" && several) strangers(*launched, "asked for the backend 'self'");
  if (backend == "mpi" && !launched) {
    throw CommError(
        "distributed::init: the backend 'mpi' needs a launcher: start the program with "
        "mpirun -n <ranks> or srun");
  }
  if (backend == "mpi" || several) {
#if defined(CROCUTA_WITH_MPI)
    ProcessGroup world(mpi::world(*launched, options));
    share_cores(*launched);
    return world;
#else
    strangers(*launched, "this build has no MPI (configure with -DCROCUTA_MPI=ON)");
#endif
  }
  return ProcessGroup(make_self_backend(options));
}

int shutdown(int status) {
#if defined(CROCUTA_WITH_MPI)
  return mpi::shutdown(status);
#else
  return status;
#endif
}

}  // namespace crocuta::distributed
