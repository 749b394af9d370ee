# What can be switched, and the compiler flags it stands for.
set(CROCUTA_CUDA OFF CACHE STRING "The CUDA backend: OFF, ON, or emulated (on the CPU, for tests)")
set_property(CACHE CROCUTA_CUDA PROPERTY STRINGS OFF ON emulated)
set(CROCUTA_NCCL AUTO CACHE STRING "Collectives between GPUs: AUTO, ON or OFF (needs CROCUTA_CUDA)")
set_property(CACHE CROCUTA_NCCL PROPERTY STRINGS AUTO ON OFF)
set(CROCUTA_MPI AUTO CACHE STRING "Ranks that mpirun or srun start: AUTO, ON or OFF")
set_property(CACHE CROCUTA_MPI PROPERTY STRINGS AUTO ON OFF)
option(CROCUTA_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(CROCUTA_BENCH "Build the benchmarks" OFF)
option(CROCUTA_FUZZ "Build the fuzzers of tests/fuzz with libFuzzer (needs Clang)" OFF)
option(CROCUTA_WERROR "Treat compiler warnings as errors" OFF)
set(CROCUTA_SANITIZE "" CACHE STRING "As in -fsanitize=: address,undefined or thread; empty for none")
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(default_march x86-64-v3)
else()
  set(default_march "")
endif()
set(CROCUTA_MARCH ${default_march} CACHE STRING
    "The CPU to build for, as in -march=: native for this machine, empty for the compiler's default")

if(NOT CROCUTA_CUDA MATCHES "^(OFF|ON|emulated)$")
  message(FATAL_ERROR "CROCUTA_CUDA=${CROCUTA_CUDA}: expected OFF, ON or emulated")
endif()
if(CROCUTA_NCCL STREQUAL "ON" AND NOT CROCUTA_CUDA)
  message(FATAL_ERROR "CROCUTA_NCCL=ON needs CROCUTA_CUDA=ON, which is ${CROCUTA_CUDA}")
endif()

if(CROCUTA_FUZZ AND NOT CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  message(FATAL_ERROR "CROCUTA_FUZZ=ON needs Clang (-DCMAKE_CXX_COMPILER=clang++), "
                      "and the compiler is ${CMAKE_CXX_COMPILER_ID}")
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
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}>
                           $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<INSTALL_INTERFACE:include>)
# Whether a * b + c is rounded once or twice must not be the compiler's choice, which differs between
# compilers and even between the vector loop and what is left over: fused multiply-adds are asked for
# by name. What nvcc generates is not pedantic C++.
set(warnings_cxx -Wall -Wextra -Wpedantic -ffp-contract=off)
set(warnings_cuda -Xcompiler=-Wall,-Wextra -Wno-deprecated-gpu-targets)
if(CMAKE_CXX_COMPILER_ID MATCHES "Clang")
  # Of its own header for half precision, and of loops that it does not vectorise as asked.
  list(APPEND warnings_cxx -Wno-c99-extensions -Wno-pass-failed)
endif()
if(CROCUTA_WERROR)
  list(APPEND warnings_cxx -Werror)
  list(APPEND warnings_cuda -Werror=all-warnings)
endif()
if(CROCUTA_MARCH)
  list(APPEND warnings_cxx -march=${CROCUTA_MARCH})
endif()
if(CROCUTA_SANITIZE MATCHES "address" AND CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  # The stack frames that AddressSanitizer moves to the heap are aligned to 32 bytes, but compilers
  # (GCC before 14, Clang) access them as aligned to 64: GCC bug 110027, LLVM issue 91565.
  list(APPEND warnings_cxx -mno-avx512f)
endif()
# For kernels that must not spill registers: ptxas, which assigns them, warns of it, or fails.
set(CROCUTA_WARN_SPILLS -Xptxas=-warn-spills,-warn-lmem-usage)
set(CROCUTA_NO_SPILLS ${CROCUTA_WARN_SPILLS},-Werror)
target_compile_options(crocuta_options INTERFACE
                       $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CXX>:${warnings_cxx}>>
                       $<BUILD_INTERFACE:$<$<COMPILE_LANGUAGE:CUDA>:${warnings_cuda}>>)
if(CROCUTA_CUDA)
  target_compile_definitions(crocuta_options INTERFACE CROCUTA_WITH_CUDA)
endif()
if(CROCUTA_CUDA STREQUAL "emulated")
  target_compile_definitions(crocuta_options INTERFACE CROCUTA_CUDA_EMULATED)
endif()
if(CROCUTA_SANITIZE)
  target_compile_options(crocuta_options INTERFACE -fsanitize=${CROCUTA_SANITIZE}
                         -fno-sanitize-recover=all -fno-omit-frame-pointer)
  target_link_options(crocuta_options INTERFACE -fsanitize=${CROCUTA_SANITIZE})
  # GCC takes the sanitizers' own checks for uses of uninitialised variables, also in its library.
  target_compile_options(crocuta_options INTERFACE
                         $<BUILD_INTERFACE:$<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>>)
endif()
if(CROCUTA_FUZZ)
  target_compile_options(crocuta_options INTERFACE -fsanitize=fuzzer-no-link)
endif()
