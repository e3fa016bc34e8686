millrace_test_dir(NAME unit_agent_decode DIR unit/agent_decode DEPS millrace::agent_decode simdjson::simdjson)
millrace_test_dir(NAME unit_agent_route DIR unit/agent_route DEPS millrace::agent_route)
millrace_test_dir(NAME unit_agent_transforms DIR unit/agent_transforms
                  DEPS millrace::agent_registry millrace::encode millrace::agent_decode)
millrace_test_dir(NAME unit_common_time DIR unit/common_time DEPS millrace::time)
