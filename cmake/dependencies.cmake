# The packages Crocuta uses. Nothing is downloaded here: on Debian and Ubuntu, scripts/deps.sh
# installs what is missing; docs/dependencies.md has the list.
find_package(Threads REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(spdlog REQUIRED)
find_package(CLI11 REQUIRED)

if(CROCUTA_CUDA STREQUAL "ON")
  # nvcc is often installed without being on PATH.
  if(NOT CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
    find_program(CMAKE_CUDA_COMPILER nvcc HINTS ENV CUDA_PATH /usr/local/cuda PATH_SUFFIXES bin)
  endif()
  # Machine code for A100 and H100/H200, and PTX from which drivers make it for later ones.
  if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
    set(CMAKE_CUDA_ARCHITECTURES "80-real;90" CACHE STRING "GPU architectures to build for")
  endif()
  enable_language(CUDA)
  set(CMAKE_CUDA_STANDARD 17)  # CMake 3.25 knows no later one for nvcc
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_EXTENSIONS OFF)
  # CMake 3.25 looks for a library that CUDA 13 has no more if the project asks for 3.25 or later.
  set(minimum_required ${CMAKE_MINIMUM_REQUIRED_VERSION})
  set(CMAKE_MINIMUM_REQUIRED_VERSION 3.24)
  find_package(CUDAToolkit REQUIRED)
  set(CMAKE_MINIMUM_REQUIRED_VERSION ${minimum_required})
elseif(CROCUTA_CUDA STREQUAL "emulated")
  find_package(Boost REQUIRED COMPONENTS context)  # the fibers that a block's threads run on
endif()

set(CROCUTA_WITH_MPI OFF)
if(CROCUTA_MPI)
  set(MPI_CXX_SKIP_MPICXX ON)  # the C interface is enough, and the C++ one is gone since MPI 3
  if(CROCUTA_MPI STREQUAL "AUTO")
    find_package(MPI QUIET COMPONENTS CXX)
  else()
    find_package(MPI REQUIRED COMPONENTS CXX)
  endif()
  set(CROCUTA_WITH_MPI ${MPI_CXX_FOUND})
endif()

set(CROCUTA_WITH_NCCL OFF)
if(CROCUTA_NCCL AND CROCUTA_CUDA STREQUAL "ON")
  if(CROCUTA_NCCL STREQUAL "AUTO")
    find_package(NCCL 2.14 QUIET)  # the first with communicators that do not block
  else()
    find_package(NCCL 2.14 REQUIRED)
  endif()
  set(CROCUTA_WITH_NCCL ${NCCL_FOUND})
elseif(CROCUTA_NCCL AND CROCUTA_CUDA STREQUAL "emulated")
  set(CROCUTA_WITH_NCCL ON)  # emulated, too
  set(NCCL_VERSION "emulated")
endif()

if(CROCUTA_TESTS)
  find_package(Catch2 QUIET)  # 2.13 (Debian 12, Ubuntu 22.04) or 3 (Ubuntu 24.04, Debian 13)
  if(NOT Catch2_FOUND)
    message(FATAL_ERROR "The tests need Catch2: install it (scripts/deps.sh --tests), "
                        "or build without them (-DCROCUTA_TESTS=OFF)")
  endif()
endif()
