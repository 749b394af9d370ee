# The conformance suite is one library, which test_process_group runs on rank threads and
# mpi_program on processes.
add_library(distributed_conformance STATIC
            distributed/conformance_errors.cpp
            distributed/conformance_gradients.cpp
            distributed/conformance_values.cpp)
target_link_libraries(distributed_conformance PUBLIC crocuta_distributed)
target_compile_options(distributed_conformance PRIVATE $<$<CONFIG:Release>:-O1>)

# The program that is one rank of an MPI job, and how tests run such jobs.
if(CROCUTA_WITH_MPI)
  add_executable(mpi_program distributed/mpi_program.cpp)
  target_link_libraries(mpi_program PRIVATE distributed_conformance)
  set_target_properties(mpi_program PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  if(CROCUTA_WITH_NCCL AND CROCUTA_CUDA STREQUAL "emulated")
    target_sources(mpi_program PRIVATE distributed/nccl_scenarios.cpp)
    target_compile_definitions(mpi_program PRIVATE CROCUTA_NCCL_SCENARIOS)
  endif()
  add_library(mpi_job STATIC distributed/mpi_job.cpp)
  target_link_libraries(mpi_job PUBLIC crocuta_options)
  target_compile_definitions(mpi_job PRIVATE CROCUTA_MPIRUN="${CROCUTA_MPIRUN}"
                             MPI_PROGRAM="$<TARGET_FILE:mpi_program>")
  add_dependencies(mpi_job mpi_program)
endif()

# Declares the suite on processes; with NCCL each has an emulated GPU of its own.
function(crocuta_mpi_conformance)
  foreach(ranks 2 3 4)
    crocuta_mpi_command(test_distributed_mpi_${ranks} ${ranks}
                        $<TARGET_FILE:mpi_program> conformance)
  endforeach()
  if(CROCUTA_WITH_NCCL AND CROCUTA_CUDA STREQUAL "emulated")
    foreach(ranks 1 2 3 4)
      crocuta_mpi_command(test_distributed_nccl_${ranks} ${ranks}
                          $<TARGET_FILE:mpi_program> conformance_nccl)
      set_property(TEST test_distributed_nccl_${ranks}
                   APPEND PROPERTY ENVIRONMENT CROCUTA_EMULATED_DEVICES=4
                   CROCUTA_TEST_DEVICE=cuda)
    endforeach()
  endif()
endfunction()
