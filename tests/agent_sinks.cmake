add_library(millrace_test_fake_http STATIC support/fake_http.cc)
target_link_libraries(millrace_test_fake_http PUBLIC millrace::base Threads::Threads PRIVATE millrace_warnings)
millrace_test_dir(NAME unit_agent_sinks DIR unit/agent_sinks TIMEOUT 300
                  DEPS millrace::agent_sink_basic millrace::agent_sink_elasticsearch millrace::agent_sink_support
                  millrace::agent_core millrace_test_fake_http simdjson::simdjson ZLIB::ZLIB PkgConfig::zstd)
