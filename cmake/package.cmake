# cmake --install, and what find_package(crocuta) finds: crocuta::crocuta, crocuta::testing and the
# functions of library.cmake.
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(destination ${CMAKE_INSTALL_LIBDIR}/cmake/crocuta)
install(TARGETS crocuta crocuta_layers crocuta_layers_archive crocuta_distributed
                crocuta_framework crocuta_kernels crocuta_options crocuta_testing
        EXPORT crocuta)
install(TARGETS train_hyena generate_hyena score_hyena import_hyenadna export_hyenadna run_layer
                verify_cp)
install(EXPORT crocuta NAMESPACE crocuta:: DESTINATION ${destination} FILE crocuta-targets.cmake)
configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/crocuta-config.cmake.in
                              ${PROJECT_BINARY_DIR}/crocuta-config.cmake
                              INSTALL_DESTINATION ${destination})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/crocuta-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/crocuta-config.cmake
              ${PROJECT_BINARY_DIR}/crocuta-config-version.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindNCCL.cmake
              ${PROJECT_SOURCE_DIR}/cmake/library.cmake
        DESTINATION ${destination})
install(CODE "set(SOURCE \"${PROJECT_SOURCE_DIR}\")
set(DESTINATION \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_INCLUDEDIR}\")
include(\"${PROJECT_SOURCE_DIR}/cmake/install_headers.cmake\")")
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY examples/first_steps examples/new_layer examples/new_op
        DESTINATION ${CMAKE_INSTALL_DATADIR}/crocuta/examples)
install(DIRECTORY examples/hyena/configs DESTINATION ${CMAKE_INSTALL_DATADIR}/crocuta/examples/hyena)
