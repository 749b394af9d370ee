// How a program learns which rank it is, and how it ends.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "distributed/process_group.h"

namespace crocuta::distributed {

// The number of processes that mpirun, mpiexec or srun says it started; nothing without a launcher.
// Throws CommError if the launcher's variable does not hold a positive number.
std::optional<int> launched_processes();

// What this machine calls itself, for messages.
std::string host_name();

// The group of all ranks of this job: "self" is this process alone, "mpi" the processes of the
// launcher, "nccl" the same with a GPU for each, default_device(), between which tensors travel
// without the host (see on_device); "auto" is what fits launcher and default device. MPI is started
// only under a launcher. Under a launcher, kernels get this process's share of the machine's cores,
// unless CROCUTA_NUM_THREADS or OMP_NUM_THREADS is set, and a warning says so if the launcher has
// bound the process to fewer; of the machine's GPUs it gets the one with its number among the ranks
// there (set_local_rank). Throws
// - ArgumentError for another text; for "nccl" in a build without it or a rank without a GPU of its
//   own,
// - CommError if several processes were launched but would not know each other: "self", a build
//   without MPI, or an MPI that does not belong to the launcher. Each would take itself for rank 0
//   and write the same checkpoint. Also for "mpi" without a launcher.
ProcessGroup init(std::string_view backend = "auto", const CommOptions& options = {});

// The same ranks as `world`, for work on `device`: with collectives by NCCL between the ranks'
// GPUs, for the tensors that are on GPUs, if each rank has a GPU of its own and this build has
// NCCL. Else `world` itself, by which tensors on a GPU go through the host's memory; a warning says
// so if there are GPUs. Collective. Throws CommError if NCCL cannot be started, and, for the
// `backend` "nccl" instead of "auto", ArgumentError in the other case, on all ranks alike.
ProcessGroup on_device(const ProcessGroup& world, Device device, std::string_view backend = "auto");

// To be called last in main, with the status that main is about to return:
//   return distributed::shutdown(status);
// If all ranks get here, MPI ends in order and `status` is returned. If this rank has failed and
// another does not follow within seconds, because it waits for this one, the whole job is ended
// with `status` there and then. Without MPI, just returns.
int shutdown(int status);

}  // namespace crocuta::distributed
