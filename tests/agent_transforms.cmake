millrace_test_dir(NAME unit_agent_decode DIR unit/agent_decode DEPS millrace::agent_decode simdjson::simdjson)
millrace_test_dir(NAME unit_agent_route DIR unit/agent_route DEPS millrace::agent_route)
millrace_test_dir(NAME unit_agent_transforms DIR unit/agent_transforms
                  DEPS millrace::agent_registry millrace::encode millrace::agent_decode)
millrace_test_dir(NAME unit_common_time DIR unit/common_time DEPS millrace::time)
millrace_test_dir(NAME unit_agent_rules DIR unit/agent_rules DEPS millrace::agent_rules millrace::agent_decode)
find_package(nlohmann_json QUIET)
if(nlohmann_json_FOUND)
  millrace_test_dir(NAME outside_agent_grok DIR outside/agent_grok LABELS outside
                    DEPS millrace::agent_rules millrace::agent_decode nlohmann_json::nlohmann_json)
  millrace_test_dir(NAME outside_agent_parse DIR outside/agent_parse LABELS outside
                    DEPS millrace::agent_transforms millrace::agent_decode nlohmann_json::nlohmann_json PkgConfig::re2)
endif()
millrace_fuzz(NAME fuzz_agent_decode SRC fuzz/agent_decode.cc DEPS millrace::agent_decode)
millrace_fuzz(NAME fuzz_agent_expression SRC fuzz/agent_expression.cc DEPS millrace::agent_route)
millrace_fuzz(NAME fuzz_time_format SRC fuzz/time_format.cc DEPS millrace::time)
