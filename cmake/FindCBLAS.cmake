# A BLAS with its C interface: target CBLAS::CBLAS. OpenBLAS is preferred; BLA_VENDOR names another
# one (Intel10_64lp, AOCL_mt, FlexiBLAS, ...: see CMake's FindBLAS) and CBLAS_INCLUDE_DIR the folder
# of its cblas.h or, for MKL, mkl_cblas.h.
if(BLA_VENDOR)
  find_package(BLAS QUIET)
else()
  foreach(BLA_VENDOR OpenBLAS All)
    if(NOT BLAS_FOUND)
      find_package(BLAS QUIET)
    endif()
  endforeach()
  unset(BLA_VENDOR)
endif()
find_path(CBLAS_INCLUDE_DIR NAMES cblas.h mkl_cblas.h
          HINTS /usr/include/${CMAKE_LIBRARY_ARCHITECTURE} $ENV{MKLROOT}/include
          PATH_SUFFIXES openblas openblas-serial openblas-openmp openblas-pthread)
mark_as_advanced(CBLAS_INCLUDE_DIR)
set(_cblas_include_dirs ${CBLAS_INCLUDE_DIR})
if(EXISTS "${CBLAS_INCLUDE_DIR}/mkl_cblas.h" AND NOT EXISTS "${CBLAS_INCLUDE_DIR}/cblas.h")
  file(CONFIGURE OUTPUT mkl/cblas.h CONTENT "#include <mkl_cblas.h>\n")
  list(APPEND _cblas_include_dirs ${CMAKE_CURRENT_BINARY_DIR}/mkl)
endif()

if(BLAS_FOUND AND CBLAS_INCLUDE_DIR)
  include(CheckCXXSymbolExists)
  include(CMakePushCheckState)
  cmake_push_check_state(RESET)
  set(CMAKE_REQUIRED_QUIET ON)
  set(CMAKE_REQUIRED_INCLUDES ${_cblas_include_dirs})
  set(CMAKE_REQUIRED_LIBRARIES ${BLAS_LIBRARIES})
  check_cxx_symbol_exists(cblas_sgemm cblas.h CBLAS_LINKS)  # some BLAS libraries are Fortran only
  cmake_pop_check_state()
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(CBLAS REQUIRED_VARS BLAS_LIBRARIES CBLAS_INCLUDE_DIR CBLAS_LINKS)
if(CBLAS_FOUND AND NOT TARGET CBLAS::CBLAS)
  add_library(CBLAS::CBLAS INTERFACE IMPORTED)
  set_target_properties(CBLAS::CBLAS PROPERTIES
    INTERFACE_LINK_LIBRARIES "${BLAS_LIBRARIES}"
    INTERFACE_INCLUDE_DIRECTORIES "${_cblas_include_dirs}")
endif()
