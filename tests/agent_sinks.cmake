add_library(millrace_test_fake_http STATIC support/fake_http.cc)
target_link_libraries(millrace_test_fake_http PUBLIC millrace::base Threads::Threads PRIVATE millrace_warnings)
millrace_test_dir(NAME unit_agent_sinks DIR unit/agent_sinks TIMEOUT 300
                  DEPS millrace::agent_sink_basic millrace::agent_sink_elasticsearch millrace::agent_sink_support
                  millrace::agent_core millrace_test_fake_http simdjson::simdjson ZLIB::ZLIB PkgConfig::zstd)
# Built on demand (ninja bench_agent_encode), run by hand.
find_package(benchmark CONFIG QUIET)
if(benchmark_FOUND)
  add_executable(bench_agent_encode EXCLUDE_FROM_ALL bench/micro/encode.cc)
  target_link_libraries(bench_agent_encode PRIVATE millrace::agent_sink_elasticsearch benchmark::benchmark millrace_warnings)
  set_target_properties(bench_agent_encode PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
endif()

foreach(flavor es9 os3)
  add_test(NAME search_${flavor} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/search/search_test.py
                                         $<TARGET_FILE:millrace-agent> ${flavor})
  set_tests_properties(search_${flavor} PROPERTIES LABELS integration TIMEOUT 1500 SKIP_RETURN_CODE 77 RESOURCE_LOCK search_server)
endforeach()

millrace_fuzz(NAME fuzz_bulk_reply SRC fuzz/bulk_reply.cc DEPS millrace::agent_sink_elasticsearch)
millrace_fuzz(NAME fuzz_template SRC fuzz/template.cc DEPS millrace::agent_core)
millrace_fuzz(NAME fuzz_json_encoder SRC fuzz/json_encoder.cc DEPS millrace::encode simdjson::simdjson)
millrace_fuzz(NAME fuzz_repair SRC fuzz/repair.cc DEPS millrace::agent_sink_support)
