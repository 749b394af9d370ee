// Ranks that are processes under mpirun or srun. Only in builds with MPI; programs use
// distributed/init.h, which chooses.
#pragma once

#include <cstddef>
#include <memory>

#include "distributed/backends/backend.h"

namespace crocuta::distributed::mpi {

// Initialises MPI on first use and returns the world's backend. The thread that called it first is
// the one that communicates. Throws CommError if MPI counts other than `launched` processes or
// cannot be used by a program with threads, or after shutdown().
std::shared_ptr<Backend> world(int launched, const CommOptions& options);

// This process's number among those of the world on the same machine. All ranks call it together.
int local_rank();

// Ends this process's part; see distributed::shutdown(). Returns `status`, or does not return.
int shutdown(int status);

// Parts longer than this many bytes travel as several messages, since MPI counts in int. For tests.
void set_message_limit(std::size_t bytes);

}  // namespace crocuta::distributed::mpi
