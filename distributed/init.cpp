#include "distributed/init.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "distributed/backends/host_backend.h"
#include "framework/base/log.h"
#include "kernels/cpu/parallel.h"
#if defined(CROCUTA_WITH_MPI)
#include "distributed/backends/mpi.h"
#endif
#if defined(CROCUTA_WITH_NCCL)
#include "distributed/backends/nccl.h"
#endif

namespace crocuta::distributed {
namespace {

std::optional<int> number_in(const char* variable, int least, const char* what) {
  const char* text = std::getenv(variable);
  if (text == nullptr) return std::nullopt;
  int value = 0;
  const char* const end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, value);
  if (error != std::errc{} || stop != end || value < least) {
    fail<CommError>("distributed::init", variable, what, printable(text));
  }
  return value;
}

std::optional<int> count_in(const char* variable) {
  return number_in(variable, 1, "a number of processes");
}

// Which of this machine's ranks this process is, as launchers tell it.
[[maybe_unused]] std::optional<int> told_local_rank() {
  for (const char* variable : {"OMPI_COMM_WORLD_LOCAL_RANK", "MPI_LOCALRANKID", "SLURM_LOCALID"}) {
    if (const auto rank = number_in(variable, 0, "the number of a process")) return rank;
  }
  return std::nullopt;
}

// The cores that this process may run on.
int bound_cores() {
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return CPU_COUNT(&set);
#endif
  return std::numeric_limits<int>::max();  // not known to be bound
}

// Ranks on one machine share its cores. A launcher may have bound this process to fewer than its
// share, which mpirun does by default.
void share_cores(int launched) {
  std::optional<int> here = count_in("OMPI_COMM_WORLD_LOCAL_SIZE");  // ranks on this machine
  if (!here) here = count_in("MPI_LOCALNRANKS");
  const int online = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN));
  const int share = std::max(1, online / here.value_or(launched));
  const int allowed = bound_cores();
  if (allowed < share) {
    log_warn(str("the launcher has bound this process to ", allowed, " of the machine's ", online,
                 " cores; mpirun --bind-to none gives it its share of ", share));
  }
  if (!kernels::thread_count_was_asked_for()) {
    kernels::set_thread_count(std::min(share, kernels::thread_count()));
  }
}

[[noreturn]] void strangers(int launched, std::string_view why) {
  throw CommError(str("distributed::init: launched as one of ", launched,
                      " processes, each of which would take itself for the only one: ", why));
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

std::string host_name() {
  std::array<char, 256> text{};  // and so ends in NUL, also where the name is cut
  if (gethostname(text.data(), text.size() - 1) != 0 || text[0] == '\0') return "unknown host";
  return text.data();
}

namespace {

// The processes of the launcher, or this one alone, on the host.
ProcessGroup host_world(std::string_view backend, const CommOptions& options) {
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
    const std::optional<int> told = told_local_rank();
    set_local_rank(told ? *told : mpi::local_rank());
    return world;
#else
    strangers(
        *launched,
        "this build has no MPI; install libopenmpi-dev and openmpi-bin (scripts/deps.sh --mpi), "
        "then configure and build again, with scripts/train.sh or cmake");
#endif
  }
  if (launched) share_cores(*launched);
  return ProcessGroup(make_self_backend(options));
}

// Tensors on GPUs go by way of the host.
void warn_of_slowness(const ProcessGroup& world, const std::string& why) {
  if (world.rank() != 0) return;
  log_warn(str("tensors go from GPU to GPU through the host's memory, which is slow: ", why));
}

}  // namespace

ProcessGroup init(std::string_view backend, const CommOptions& options) {
  if (backend != "auto" && backend != "self" && backend != "mpi" && backend != "nccl") {
    fail<ArgumentError>("distributed::init", "backend", "auto, self, mpi or nccl",
                        printable(backend));
  }
  const ProcessGroup world = host_world(backend, options);
  if (backend != "auto" && backend != "nccl") return world;
  return on_device(world, default_device(), backend);
}

#if defined(CROCUTA_WITH_NCCL)
ProcessGroup on_device(const ProcessGroup& world, Device device, std::string_view backend) {
  const bool insists = backend == "nccl";
  auto host = std::dynamic_pointer_cast<HostBackend>(world.backend());
  // Who has NCCL already has it, and who is alone needs nobody.
  if (host == nullptr || (world.size() == 1 && !insists)) return world;
  const nccl::GpuCensus census = nccl::count_gpus(*host, device);
  if (census.any && census.problem.empty()) {
    return ProcessGroup(nccl::make_backend(std::move(host), device));
  }
  if (insists) {
    fail<ArgumentError>("distributed::init", "backend",
                        "a GPU of its own for each rank, which nccl needs", census.problem);
  }
  if (census.any) {
    warn_of_slowness(
        world, str("NCCL needs a GPU of its own for each rank, but there is ", census.problem));
  }
  return world;
}
#else
ProcessGroup on_device(const ProcessGroup& world, Device device, std::string_view backend) {
  if (backend == "nccl") {
    fail<ArgumentError>(
        "distributed::init", "backend", "one that is built in (self, mpi)",
        "nccl: this build has none; configure with -DCROCUTA_CUDA=ON -DCROCUTA_NCCL=ON");
  }
  if (world.size() > 1 && device.is_cuda()) warn_of_slowness(world, "this build has no NCCL");
  return world;
}
#endif

int shutdown(int status) {
#if defined(CROCUTA_WITH_MPI)
  return mpi::shutdown(status);
#else
  return status;
#endif
}

}  // namespace crocuta::distributed
