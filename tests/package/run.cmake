# Installs the build tree BUILD to a temporary place, builds the project beside this file against
# it with COMPILER, and compares the layers it finds registered with LAYERS.
set(work ${BUILD}/tests/package)
file(REMOVE_RECURSE ${work})
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output)
  if(NOT status EQUAL 0)
    message(FATAL_ERROR "failed: ${ARGN}\n${output}")
  endif()
endfunction()
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${work}/installed)
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${CMAKE_CURRENT_LIST_DIR} -B ${work}/build
    -DCMAKE_CXX_COMPILER=${COMPILER} -DCMAKE_PREFIX_PATH=${work}/installed)
run(${CMAKE_COMMAND} --build ${work}/build)

execute_process(COMMAND ${work}/build/outside RESULT_VARIABLE status OUTPUT_VARIABLE found)
string(STRIP "${found}" found)
string(REPLACE "," "\n" expected "${LAYERS}")
if(NOT status EQUAL 0 OR NOT found STREQUAL expected)
  message(FATAL_ERROR "exit status ${status}; expected the layers\n${expected}\nfound\n${found}")
endif()
