# The middleware and its sidecar.
if(TARGET millrace_app_metrics)
  millrace_test_dir(NAME unit_app_metrics DIR unit/app_metrics DEPS millrace::app_metrics PkgConfig::httplib
                    TIMEOUT 300)
endif()
if(TARGET millrace_app_metrics AND NOT MILLRACE_SANITIZE)
  add_test(NAME external_app_metrics COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/external/app_metrics/run.sh ${CMAKE_BINARY_DIR})
  set_tests_properties(external_app_metrics PROPERTIES LABELS integration TIMEOUT 300)
endif()
