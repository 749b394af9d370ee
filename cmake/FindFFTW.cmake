# FFTW 3 in double and single precision, the peer of bench_fft: targets FFTW::fftw3 and FFTW::fftw3f.
find_path(FFTW_INCLUDE_DIR fftw3.h)
find_library(FFTW_DOUBLE_LIBRARY fftw3)
find_library(FFTW_SINGLE_LIBRARY fftw3f)
mark_as_advanced(FFTW_INCLUDE_DIR FFTW_DOUBLE_LIBRARY FFTW_SINGLE_LIBRARY)

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(FFTW REQUIRED_VARS FFTW_DOUBLE_LIBRARY FFTW_SINGLE_LIBRARY
                                                     FFTW_INCLUDE_DIR)

function(_fftw_target name library)
  if(NOT TARGET FFTW::${name})
    add_library(FFTW::${name} UNKNOWN IMPORTED)
    set_target_properties(FFTW::${name} PROPERTIES
      IMPORTED_LOCATION "${library}" INTERFACE_INCLUDE_DIRECTORIES "${FFTW_INCLUDE_DIR}")
  endif()
endfunction()
if(FFTW_FOUND)
  _fftw_target(fftw3 "${FFTW_DOUBLE_LIBRARY}")
  _fftw_target(fftw3f "${FFTW_SINGLE_LIBRARY}")
endif()
