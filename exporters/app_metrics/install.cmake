# What a back-end installs: one archive with our parts of common/ inside, the headers, and a package
# description for CMake (find_package(millrace)) and one for pkg-config (millrace-app-metrics).
include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

add_library(
  millrace_app_metrics_archive STATIC
  $<TARGET_OBJECTS:millrace_app_metrics> $<TARGET_OBJECTS:millrace_base> $<TARGET_OBJECTS:millrace_exposition>)
set_target_properties(millrace_app_metrics_archive PROPERTIES OUTPUT_NAME millrace_app_metrics EXPORT_NAME app_metrics
                                                              LINKER_LANGUAGE CXX ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/dist)
target_include_directories(millrace_app_metrics_archive INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(millrace_app_metrics_archive INTERFACE cxx_std_20)
target_link_libraries(millrace_app_metrics_archive INTERFACE $<INSTALL_INTERFACE:prometheus-cpp::core>
                                                             $<INSTALL_INTERFACE:Threads::Threads>)
set(app_metrics_exported millrace_app_metrics_archive)

# The installed form of millrace::app_metrics_<name>; then come the libraries that its users link.
function(millrace_app_metrics_install_part name)
  add_library(millrace_app_metrics_${name}_archive STATIC $<TARGET_OBJECTS:millrace_app_metrics_${name}>)
  set_target_properties(
    millrace_app_metrics_${name}_archive PROPERTIES OUTPUT_NAME millrace_app_metrics_${name} EXPORT_NAME
                                                    app_metrics_${name} LINKER_LANGUAGE CXX ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR}/dist)
  set(libraries millrace_app_metrics_archive)
  foreach(library IN LISTS ARGN)
    list(APPEND libraries $<INSTALL_INTERFACE:${library}>)
  endforeach()
  target_link_libraries(millrace_app_metrics_${name}_archive INTERFACE ${libraries})
  set(app_metrics_exported ${app_metrics_exported} millrace_app_metrics_${name}_archive PARENT_SCOPE)
endfunction()
foreach(part IN LISTS app_metrics_parts)
  millrace_app_metrics_install_part(${part} ${app_metrics_${part}_links})
endforeach()

set(app_metrics_cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/millrace)
install(TARGETS ${app_metrics_exported} EXPORT millrace_app_metrics ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
        COMPONENT app_metrics_dev)
install(DIRECTORY include/ adapters/include/ DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT app_metrics_dev)
install(EXPORT millrace_app_metrics NAMESPACE millrace:: FILE millrace-targets.cmake
        DESTINATION ${app_metrics_cmake_dir} COMPONENT app_metrics_dev)
configure_package_config_file(millrace-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/millrace-config.cmake
                              INSTALL_DESTINATION ${app_metrics_cmake_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/millrace-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/millrace-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/millrace-config-version.cmake
        DESTINATION ${app_metrics_cmake_dir} COMPONENT app_metrics_dev)
configure_file(millrace-app-metrics.pc.in millrace-app-metrics.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/millrace-app-metrics.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
        COMPONENT app_metrics_dev)
