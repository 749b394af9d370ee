# Layers of one's own, in this project and in those that find_package(crocuta).

# crocuta_registered_library(<name> <source>...): a library whose layers register themselves under a
# name (CROCUTA_REGISTER_LAYER). A linker takes from a static archive only what somebody calls, and
# nobody calls a registration, so linking <name> links the whole of its archive, <name>_archive.
function(crocuta_registered_library name)
  add_library(${name}_archive STATIC ${ARGN})
  add_library(${name} INTERFACE)
  # CMake before 3.28 does not add the namespace inside LINK_LIBRARY when it installs.
  target_link_libraries(${name} INTERFACE
    $<BUILD_INTERFACE:$<LINK_LIBRARY:WHOLE_ARCHIVE,${name}_archive>>
    $<INSTALL_INTERFACE:$<LINK_LIBRARY:WHOLE_ARCHIVE,crocuta::${name}_archive>>)
endfunction()

# crocuta_plugin(<name> <source>...): the same as a shared library that run_layer and verify_cp load
# (--plugin). It takes all of Crocuta from the program that loads it, so nothing exists twice.
function(crocuta_plugin name)
  add_library(${name} MODULE ${ARGN})
  if(TARGET crocuta_options)
    target_link_libraries(${name} PRIVATE crocuta_options)
  else()
    target_link_libraries(${name} PRIVATE crocuta::crocuta_options)
  endif()
endfunction()

# crocuta_offer_symbols(<program>): makes it a program that can load plugins: all of Crocuta is in it,
# for them to use.
function(crocuta_offer_symbols program)
  set(libraries crocuta_framework crocuta_kernels crocuta_distributed)
  if(NOT TARGET crocuta_options)
    list(TRANSFORM libraries PREPEND crocuta::)
  endif()
  list(TRANSFORM libraries REPLACE "(.+)" "$<TARGET_FILE:\\1>" OUTPUT_VARIABLE archives)
  # Ahead of the libraries, which then have nothing to add.
  target_link_options(${program} PRIVATE LINKER:--whole-archive ${archives} LINKER:--no-whole-archive)
  target_link_libraries(${program} PRIVATE ${libraries})
  set_target_properties(${program} PROPERTIES ENABLE_EXPORTS ON)
endfunction()
