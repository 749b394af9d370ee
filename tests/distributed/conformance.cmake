# The conformance suite is one library, which test_process_group runs on rank threads and
# mpi_program on processes.
add_library(distributed_conformance STATIC
            distributed/conformance_errors.cpp
            distributed/conformance_gradients.cpp
            distributed/conformance_values.cpp)
target_link_libraries(distributed_conformance PUBLIC crocuta_distributed)
target_compile_options(distributed_conformance PRIVATE $<$<CONFIG:Release>:-O1>)

# Declares the suite on 2, 3 and 4 processes, and lends its program to test_mpi_failures.
function(crocuta_mpi_conformance)
  add_executable(mpi_program distributed/mpi_program.cpp)
  target_link_libraries(mpi_program PRIVATE distributed_conformance)
  set_target_properties(mpi_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  foreach(ranks 2 3 4)
    crocuta_mpi_command(test_distributed_mpi_${ranks} ${ranks}
                        $<TARGET_FILE:mpi_program> conformance)
  endforeach()
  add_dependencies(test_mpi_failures mpi_program)
  target_compile_definitions(test_mpi_failures PRIVATE MPIEXEC="${MPIEXEC_EXECUTABLE}"
                             MPI_PROGRAM="$<TARGET_FILE:mpi_program>")
  set_tests_properties(test_mpi_failures PROPERTIES LABELS mpi PROCESSORS 3)
endfunction()
