# crocuta_registered_library(<name> <source>...): a library whose layers register themselves under a
# name (CROCUTA_REGISTER_LAYER). A linker takes from a static archive only what somebody calls, and nobody
# calls a registration, so linking <name> links the whole of its archive.
function(crocuta_registered_library name)
  add_library(${name}_archive STATIC ${ARGN})
  add_library(${name} INTERFACE)
  # CMake before 3.28 does not add the namespace inside LINK_LIBRARY when it installs.
  target_link_libraries(${name} INTERFACE
    $<BUILD_INTERFACE:$<LINK_LIBRARY:WHOLE_ARCHIVE,${name}_archive>>
    $<INSTALL_INTERFACE:$<LINK_LIBRARY:WHOLE_ARCHIVE,crocuta::${name}_archive>>)
endfunction()
