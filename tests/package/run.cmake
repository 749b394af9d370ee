# Installs the build tree BUILD to a temporary place below WORK, builds the project beside this file
# against it by each of COMPILERS, told nothing but CMAKE_PREFIX_PATH, and runs what came of it.
cmake_policy(VERSION 3.25)
file(REMOVE_RECURSE ${WORK})
# run(<text> <command>...): fails unless the command succeeds and prints the text.
function(run text)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output
                  ERROR_VARIABLE output WORKING_DIRECTORY ${WORK})
  string(FIND "${output}" "${text}" found)
  if(NOT status EQUAL 0 OR found EQUAL -1)
    message(FATAL_ERROR "failed, or did not print '${text}': ${ARGN}\n${output}")
  endif()
endfunction()

file(MAKE_DIRECTORY ${WORK})
set(installed ${WORK}/installed)
run("" ${CMAKE_COMMAND} --install ${BUILD} --prefix ${installed})
# The tree must not be needed, and nothing must be found in it.
file(GLOB top RELATIVE ${installed}/include ${installed}/include/*)
if(NOT top STREQUAL "crocuta")
  message(FATAL_ERROR "include/ holds '${top}', expected crocuta alone")
endif()
foreach(file bin/train_hyena bin/generate_hyena bin/run_layer bin/verify_cp share/doc/crocuta/LICENSE)
  if(NOT EXISTS ${installed}/${file})
    message(FATAL_ERROR "not installed: ${file}")
  endif()
endforeach()

string(REPLACE "," ";" compilers ${COMPILERS})
foreach(compiler IN LISTS compilers)
  get_filename_component(name ${compiler} NAME)
  set(build ${WORK}/${name})
  run("" ${CMAKE_COMMAND} -G ${GENERATOR} -S ${CMAKE_CURRENT_LIST_DIR} -B ${build}
      -DCMAKE_CXX_COMPILER=${compiler} -DCMAKE_PREFIX_PATH=${installed}
      -DEXAMPLES=${installed}/share/crocuta/examples)
  run("" ${CMAKE_COMMAND} --build ${build})
  run("Cubes\nDistributedDepthwiseConv1d\nEmbedding\nHyenaBlock\nHyenaLM\nHyenaOperator\nLayerNorm\nLinear\nMLP\n"
      ${build}/outside)
  run("right after loading" ${build}/first_steps/first_steps)
  run("values and gradient are right" ${build}/new_op/check_moving_average)
  # Layers of the project and of an example, in the programs that were installed.
  run("" ${installed}/bin/run_layer --plugin ${build}/libcubes_plugin.so --layer Cubes --config {}
      --in in.safetensors --out out.safetensors)
  run("All agree." ${installed}/bin/verify_cp --plugin ${build}/libcubes_plugin.so
      --layer Cubes --config {} --shape 2,6)
endforeach()
