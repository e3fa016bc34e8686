# The middleware and its sidecar.
if(TARGET millrace_app_metrics)
  millrace_test_dir(NAME unit_app_metrics DIR unit/app_metrics DEPS millrace::app_metrics_sentry millrace::app_metrics_http
                    PkgConfig::httplib
                    TIMEOUT 300)
  foreach(database postgres mysql)
    if(TARGET millrace_app_metrics_${database} AND TARGET unit_app_metrics)
      string(TOUPPER ${database} name)
      target_link_libraries(unit_app_metrics PRIVATE millrace::app_metrics_${database})
      target_compile_definitions(unit_app_metrics PRIVATE MILLRACE_TEST_${name})
    endif()
  endforeach()
  # With line numbers, so that a stack trace can be checked whole.
  if(MILLRACE_HAVE_BACKTRACE)
    set_source_files_properties(unit/app_metrics/sentry_test.cc PROPERTIES COMPILE_OPTIONS "-g1" COMPILE_DEFINITIONS
                                                                        MILLRACE_TEST_HAS_SYMBOLS)
  endif()
endif()
if(TARGET millrace_app_metrics AND NOT MILLRACE_SANITIZE)
  add_test(NAME external_app_metrics COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/external/app_metrics/run.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(external_app_metrics PROPERTIES LABELS integration TIMEOUT 300)
endif()
if(TARGET unit_app_metrics AND NOT MILLRACE_SANITIZE)
  add_test(NAME app_metrics_bugsink COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/app_metrics/bugsink.sh
                                            $<TARGET_FILE:unit_app_metrics>)
  add_test(NAME app_metrics_databases COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/app_metrics/databases.sh
                                              $<TARGET_FILE:unit_app_metrics>)
  set_tests_properties(app_metrics_bugsink app_metrics_databases PROPERTIES LABELS integration TIMEOUT 600
                                                                            SKIP_RETURN_CODE 77)
endif()
if(TARGET millrace_app_metrics_sidecar)
  millrace_test_dir(NAME unit_app_metrics_sidecar DIR unit/app_metrics_sidecar DEPS millrace::app_metrics_sidecar
                    PkgConfig::httplib TIMEOUT 300)
endif()
find_path(MILLRACE_BEAST boost/beast/http.hpp)
if(TARGET millrace_app_metrics AND MILLRACE_BEAST)
  millrace_test_dir(NAME unit_app_metrics_beast DIR unit/app_metrics_beast DEPS millrace::app_metrics PkgConfig::httplib)
endif()
if(TARGET millrace_app_metrics)
  foreach(bench cost_bench server_bench)
    add_executable(app_metrics_${bench} EXCLUDE_FROM_ALL bench/app_metrics/${bench}.cc)
    target_link_libraries(app_metrics_${bench} PRIVATE millrace::app_metrics PkgConfig::httplib millrace_warnings)
    set_target_properties(app_metrics_${bench} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
  endforeach()
endif()
