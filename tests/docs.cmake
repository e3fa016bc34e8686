# Generated pages must say what the code says. To write them anew:
#   build/release/bin/millrace-agent reference > docs/configuration.md
#   build/release/bin/millrace-agent schema > docs/agent.schema.json
if(MILLRACE_BUILD_AGENT AND NOT MILLRACE_SANITIZE)
  add_test(NAME docs_generated COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/docs_generated.sh $<TARGET_FILE:millrace-agent>
           WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(docs_generated PROPERTIES LABELS unit TIMEOUT 60)
endif()
