# Build options and the compiler flags they stand for.
set(CROCUTA_CUDA OFF CACHE STRING "The CUDA backend: OFF or ON")
set_property(CACHE CROCUTA_CUDA PROPERTY STRINGS OFF ON)
set(CROCUTA_MPI AUTO CACHE STRING "Processes under mpirun or srun: AUTO, ON or OFF")
set_property(CACHE CROCUTA_MPI PROPERTY STRINGS AUTO ON OFF)
set(CROCUTA_NCCL OFF CACHE STRING "GPU collectives: OFF or ON (needs CROCUTA_CUDA)")
option(CROCUTA_OPENMP "Run CPU kernels on several threads" ON)
option(CROCUTA_TESTS "Build the tests" ON)
option(CROCUTA_BENCH "Build the benchmarks (needs Google Benchmark)" OFF)
option(CROCUTA_WERROR "Treat compiler warnings as errors" OFF)
set(CROCUTA_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(default_march x86-64-v3)
else()
  set(default_march "")
endif()
set(CROCUTA_MARCH ${default_march} CACHE STRING
    "The CPU to build for, as in -march=: native for this machine, empty for the compiler's default")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Debug, Release or RelWithDebInfo" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(CROCUTA_CUDA)
  message(FATAL_ERROR "CROCUTA_CUDA=${CROCUTA_CUDA}: this version has no CUDA backend yet; "
                      "configure with -DCROCUTA_CUDA=OFF.")
endif()

# Every target of ours links this for its include root, warnings and machine.
add_library(crocuta_options INTERFACE)
target_include_directories(crocuta_options INTERFACE
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/crocuta>)
target_compile_options(crocuta_options INTERFACE
                       $<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic>)
if(CROCUTA_WERROR)
  target_compile_options(crocuta_options INTERFACE $<BUILD_INTERFACE:-Werror>)
endif()
if(CROCUTA_MARCH)
  target_compile_options(crocuta_options INTERFACE $<BUILD_INTERFACE:-march=${CROCUTA_MARCH}>)
endif()
if(CROCUTA_SANITIZE)
  target_compile_options(crocuta_options INTERFACE -fsanitize=${CROCUTA_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(crocuta_options INTERFACE -fsanitize=${CROCUTA_SANITIZE})
endif()
