# How tests are declared: one program and one ctest entry per test file.
set(default_device cpu)
if(CROCUTA_CUDA)
  set(default_device cuda)
endif()
set(CROCUTA_TEST_DEVICE ${default_device} CACHE STRING "Where tests put tensors: cpu, or cuda")
add_library(crocuta_test_main OBJECT ${PROJECT_SOURCE_DIR}/tests/support/main.cpp)
target_link_libraries(crocuta_test_main PUBLIC crocuta_framework Catch2::Catch2)
# Oracles need not be fast, and compile in half the time.
target_compile_options(crocuta_test_main PUBLIC $<$<CONFIG:Release>:-O1>)

add_library(crocuta_test_support STATIC ${PROJECT_SOURCE_DIR}/tests/support/check_op.cpp)
target_link_libraries(crocuta_test_support PUBLIC crocuta_testing Catch2::Catch2)
target_compile_options(crocuta_test_support PRIVATE $<$<CONFIG:Release>:-O1>)
if(CROCUTA_SANITIZE)  # which Clang defines no macro for
  target_compile_definitions(crocuta_test_support PUBLIC CROCUTA_SANITIZED)
endif()
# What nearly every test includes is parsed once. A file still names all it needs: one build of
# .ci/run sets CMAKE_DISABLE_PRECOMPILE_HEADERS.
target_compile_options(crocuta_test_support PRIVATE -fPIE)  # as the programs that share this
target_precompile_headers(crocuta_test_support PRIVATE
  <algorithm> <cmath> <filesystem> <fstream> <string> <vector>
  ${PROJECT_SOURCE_DIR}/framework/ops/ops.h ${PROJECT_SOURCE_DIR}/tests/support/catch.h)

function(crocuta_test_program source)
  get_filename_component(test ${source} NAME_WE)
  add_executable(${test} ${source})
  target_link_libraries(${test} PRIVATE crocuta_test_main crocuta_test_support ${ARGN})
  target_precompile_headers(${test} REUSE_FROM crocuta_test_support)
  set_target_properties(${test} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endfunction()

# crocuta_test(<file>.cpp [library ...]). A program in which every case was skipped exits with 77.
function(crocuta_test source)
  crocuta_test_program(${source} ${ARGN})
  get_filename_component(test ${source} NAME_WE)
  add_test(NAME ${test} COMMAND ${test})
endfunction()

# crocuta_mpi_test(<file>.cpp <ranks> [library ...]): the same, on several ranks under mpirun.
function(crocuta_mpi_test source ranks)
  get_filename_component(test ${source} NAME_WE)
  if(NOT TARGET ${test})
    crocuta_test_program(${source} ${ARGN})
  endif()
  crocuta_mpi_command(${test}_${ranks} ${ranks} $<TARGET_FILE:${test}>)
endfunction()

# crocuta_mpi_command(<name> <ranks> <program> [argument ...]): a test of any program under mpirun.
set(CROCUTA_MPIRUN ${PROJECT_SOURCE_DIR}/scripts/mpirun.sh)
function(crocuta_mpi_command name ranks)
  add_test(NAME ${name} COMMAND ${CROCUTA_MPIRUN} -n ${ranks} ${ARGN})
  set_tests_properties(${name} PROPERTIES LABELS mpi PROCESSORS ${ranks})
endfunction()

# Gives every test of the calling folder its time limit and environment; call it last.
function(crocuta_finish_tests)
  set(environment CROCUTA_TEST_DEVICE=${CROCUTA_TEST_DEVICE})
  # For what hangs. The slowest tests take half a minute on an idle machine, and minutes under
  # sanitizers; one that is four times slower, and busy, is no reason to fail.
  set(timeout 1200)
  if(CROCUTA_SANITIZE)
    set(timeout 3600)
    list(APPEND environment
         "UBSAN_OPTIONS=print_stacktrace=1"
         "TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1")
  endif()
  if(CROCUTA_CUDA STREQUAL "emulated")
    # Nothing is cached, so that the emulation watches each block's bounds and hands out new ones
    # full of NaN.
    list(APPEND environment CROCUTA_CUDA_CACHE=0)
  endif()
  # A failed allocation must reach our own code, which turns it into OutOfMemory.
  set(asan "allocator_may_return_null=1:check_initialization_order=1:strict_string_checks=1")
  get_property(tests DIRECTORY PROPERTY TESTS)
  foreach(test IN LISTS tests)
    get_test_property(${test} LABELS labels)
    get_test_property(${test} TIMEOUT own_timeout)
    if("mpi" IN_LIST labels)
      # Open MPI keeps memory until the process ends; leaks are looked for in all other tests.
      set(more "MPIEXEC=${MPIEXEC_EXECUTABLE}" "ASAN_OPTIONS=${asan}:detect_leaks=0"
               CROCUTA_NUM_THREADS=1)
    else()
      set(more "ASAN_OPTIONS=${asan}:detect_leaks=1:detect_stack_use_after_return=1")
    endif()
    get_test_property(${test} ENVIRONMENT own)  # which comes last, and so counts
    if(NOT own)
      set(own)
    endif()
    set_property(TEST ${test} PROPERTY ENVIRONMENT ${environment} ${more} ${own})
    set_property(TEST ${test} PROPERTY SKIP_RETURN_CODE 77)
    if(NOT own_timeout)
      set_property(TEST ${test} PROPERTY TIMEOUT ${timeout})
    endif()
  endforeach()
endfunction()
