# The tests link librdkafka themselves, for its mock cluster; the agent only loads it.
millrace_test_dir(NAME unit_agent_kafka DIR unit/agent_kafka TIMEOUT 300
                  DEPS millrace::agent_source_kafka millrace::agent_kafka millrace::agent_checkpoints
                  PkgConfig::rdkafka)
