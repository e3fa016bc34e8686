millrace_test_dir(NAME unit_agent_sinks DIR unit/agent_sinks DEPS millrace::agent_sink_basic millrace::agent_sink_support
                  millrace::agent_core ZLIB::ZLIB PkgConfig::zstd)
