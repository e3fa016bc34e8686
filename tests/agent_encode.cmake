millrace_test_dir(NAME unit_agent_encode DIR unit/agent_encode DEPS millrace::encode millrace::compress
                  millrace::agent_core simdjson::simdjson ZLIB::ZLIB PkgConfig::zstd)
