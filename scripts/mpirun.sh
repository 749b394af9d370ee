#!/usr/bin/env bash
# usage: scripts/mpirun.sh -n <ranks> <program> [argument ...]
#
# mpirun for ranks that are all on this machine: as root too, more ranks than
# cores too, and each with its threads on any core. Open MPI has to be told so, in
# variables whose names differ between versions; what the environment says already
# is left as it is, and other MPIs take no notice. MPIEXEC=<program> is run
# instead of mpirun.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"
help_if_asked "$@"
mpirun=${MPIEXEC:-mpirun}
command -v "$mpirun" >/dev/null ||
  refuse "there is no $mpirun; scripts/deps.sh --mpi installs Open MPI, then build again"

# tell <name>=<value>: unless the variable is set.
tell() {
  local name=${1%%=*}
  [[ -v $name ]] || export "$1"
}
tell OMPI_ALLOW_RUN_AS_ROOT=1
tell OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
tell OMPI_MCA_rmaps_base_oversubscribe=1                       # up to Open MPI 4
tell OMPI_MCA_hwloc_base_binding_policy=none
tell PRTE_MCA_rmaps_default_mapping_policy=:oversubscribe      # from 5 on
tell PRTE_MCA_hwloc_default_binding_policy=none
tell OMPI_MCA_mpi_yield_when_idle=1  # who waits leaves the core to who works
exec "$mpirun" "$@"
