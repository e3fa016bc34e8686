millrace_test_dir(NAME unit_agent_checkpoints DIR unit/agent_checkpoints DEPS millrace::agent_checkpoints)
millrace_test_dir(NAME unit_agent_framing DIR unit/agent_framing DEPS millrace::agent_framing)
millrace_test_dir(NAME unit_agent_file DIR unit/agent_file TIMEOUT 600 DEPS millrace::agent_source_file)
