millrace_test_dir(NAME unit_agent_core DIR unit/agent_core DEPS millrace::agent_core)
millrace_test_dir(NAME unit_agent_topology DIR unit/agent_topology DEPS millrace::agent_topology)
