millrace_test_dir(NAME unit_agent_core DIR unit/agent_core DEPS millrace::agent_core)
