# cmake --install, and what find_package(crocuta) finds: the target crocuta::crocuta, through which
# all registered layers arrive.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(crocuta INTERFACE)
add_library(crocuta::crocuta ALIAS crocuta)
target_link_libraries(crocuta INTERFACE crocuta_layers)

set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/crocuta)
install(TARGETS crocuta crocuta_layers crocuta_layers_archive crocuta_distributed
                crocuta_framework crocuta_kernels crocuta_options
        EXPORT crocuta)
install(EXPORT crocuta NAMESPACE crocuta:: DESTINATION ${destination} FILE crocuta-targets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/crocuta-config.cmake.in
                              ${PROJECT_BINARY_DIR}/crocuta-config.cmake
                              INSTALL_DESTINATION ${destination})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/crocuta-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/crocuta-config.cmake
              ${PROJECT_BINARY_DIR}/crocuta-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindCBLAS.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake
        DESTINATION ${destination})
# kernels/cpu and the like hold what only the kernels themselves include.
install(DIRECTORY kernels framework distributed layers
        DESTINATION include/crocuta FILES_MATCHING PATTERN "*.h" PATTERN "kernels/*/*" EXCLUDE)
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
