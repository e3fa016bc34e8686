# The middleware and its sidecar.
if(TARGET millrace_app_metrics)
  millrace_test_dir(NAME unit_app_metrics DIR unit/app_metrics DEPS millrace::app_metrics_sentry PkgConfig::httplib
                    TIMEOUT 300)
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
  set_tests_properties(app_metrics_bugsink PROPERTIES LABELS integration TIMEOUT 600 SKIP_RETURN_CODE 77)
endif()
