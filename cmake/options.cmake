# What can be switched, and the compiler flags it stands for.
set(CROCUTA_CUDA OFF CACHE STRING "The CUDA backend: OFF or ON")
set_property(CACHE CROCUTA_CUDA PROPERTY STRINGS OFF ON)
set(CROCUTA_NCCL OFF CACHE STRING "Collectives between GPUs: OFF or ON (needs CROCUTA_CUDA)")
set_property(CACHE CROCUTA_NCCL PROPERTY STRINGS OFF ON)
set(CROCUTA_MPI AUTO CACHE STRING "Ranks that mpirun or srun start: AUTO, ON or OFF")
set_property(CACHE CROCUTA_MPI PROPERTY STRINGS AUTO ON OFF)
option(CROCUTA_OPENMP "Run CPU kernels on several threads" ON)
option(CROCUTA_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(CROCUTA_BENCH "Build the benchmarks (needs Google Benchmark)" OFF)
option(CROCUTA_WERROR "Treat compiler warnings as errors" OFF)
set(CROCUTA_SANITIZE "" CACHE STRING "As in -fsanitize=: address,undefined or thread; empty for none")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(default_march x86-64-v3)
else()
  set(default_march "")
endif()
set(CROCUTA_MARCH ${default_march} CACHE STRING
    "The CPU to build for, as in -march=: native for this machine, empty for the compiler's default")

if(CROCUTA_CUDA OR CROCUTA_NCCL)
  message(FATAL_ERROR
    "CROCUTA_CUDA=${CROCUTA_CUDA}, CROCUTA_NCCL=${CROCUTA_NCCL}: this version runs on the CPU only; "
    "the CUDA backend is the next milestone. Use the preset cpu, or leave both options OFF.")
endif()

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, Debug or RelWithDebInfo" FORCE)
endif()
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

# Every target of ours links this for its include root, warnings and machine. The warnings and the
# machine are for our own code, not for projects that link an installed Crocuta.
add_library(crocuta_options INTERFACE)
target_compile_features(crocuta_options INTERFACE cxx_std_20)
target_include_directories(crocuta_options INTERFACE
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}> $<INSTALL_INTERFACE:include/crocuta>)
target_compile_options(crocuta_options INTERFACE $<BUILD_INTERFACE:-Wall;-Wextra;-Wpedantic>)
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
  # GCC takes the sanitizers' own checks for uses of uninitialised variables, also in its library.
  target_compile_options(crocuta_options INTERFACE
                         $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>>)
endif()
