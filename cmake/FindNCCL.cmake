# NCCL, which has no CMake package of its own: target NCCL::nccl and NCCL_VERSION. Looked for in the
# folder that NCCL_ROOT or NCCL_HOME names (variable or environment), in the CUDA toolkit, in the
# system's folders, and in the Python packages nvidia-nccl-cu12 and -cu13.
#
# Folders are searched one at a time, so that header and library come from the same one; to name them
# apart, set NCCL_INCLUDE_DIR and NCCL_LIBRARY.
file(GLOB _nccl_python LIST_DIRECTORIES true
     "$ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia/nccl"
     "$ENV{CONDA_PREFIX}/lib/python3*/site-packages/nvidia/nccl"
     "/usr/lib/python3*/*-packages/nvidia/nccl"
     "/usr/local/lib/python3*/*-packages/nvidia/nccl")
set(_nccl_folders ${NCCL_ROOT} ${NCCL_HOME} $ENV{NCCL_ROOT} $ENV{NCCL_HOME}
                  ${CUDAToolkit_LIBRARY_ROOT} ${CUDAToolkit_TARGET_DIR} $ENV{CUDA_PATH}
                  /usr/local/cuda /usr/local /usr ${_nccl_python})
if(NCCL_INCLUDE_DIR OR NCCL_LIBRARY)
  set(_nccl_folders)
endif()
foreach(_nccl_folder IN LISTS _nccl_folders)
  find_path(NCCL_INCLUDE_DIR nccl.h PATHS ${_nccl_folder} PATH_SUFFIXES include NO_DEFAULT_PATH)
  # Python packages have no plain libnccl.so.
  find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2 PATHS ${_nccl_folder} NO_DEFAULT_PATH
               PATH_SUFFIXES lib64 lib lib/${CMAKE_LIBRARY_ARCHITECTURE} targets/x86_64-linux/lib)
  if(NCCL_INCLUDE_DIR AND NCCL_LIBRARY)
    break()
  endif()
  unset(NCCL_INCLUDE_DIR CACHE)
  unset(NCCL_LIBRARY CACHE)
endforeach()
find_path(NCCL_INCLUDE_DIR nccl.h)
find_library(NCCL_LIBRARY NAMES nccl libnccl.so.2)
mark_as_advanced(NCCL_INCLUDE_DIR NCCL_LIBRARY)

if(NCCL_INCLUDE_DIR)
  file(STRINGS ${NCCL_INCLUDE_DIR}/nccl.h _nccl_lines REGEX "#define NCCL_(MAJOR|MINOR|PATCH) ")
  string(REGEX REPLACE ".*MAJOR +([0-9]+).*MINOR +([0-9]+).*PATCH +([0-9]+).*" "\\1.\\2.\\3"
         NCCL_VERSION "${_nccl_lines}")
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(NCCL REQUIRED_VARS NCCL_LIBRARY NCCL_INCLUDE_DIR
                                  VERSION_VAR NCCL_VERSION)
if(NCCL_FOUND AND NOT TARGET NCCL::nccl)
  add_library(NCCL::nccl UNKNOWN IMPORTED)
  set_target_properties(NCCL::nccl PROPERTIES
    IMPORTED_LOCATION "${NCCL_LIBRARY}" INTERFACE_INCLUDE_DIRECTORIES "${NCCL_INCLUDE_DIR}")
endif()
