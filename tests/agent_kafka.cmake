millrace_test_dir(NAME unit_agent_kafka DIR unit/agent_kafka
                  DEPS millrace::agent_source_kafka millrace::agent_sink_kafka millrace::agent_kafka
                  millrace::agent_checkpoints)

# These run librdkafka's threads, which it makes with thrd_create(): ThreadSanitizer does not see that
# and crashes in them. The agent only loads librdkafka; the tests link it, for its mock cluster.
if(MILLRACE_SANITIZE MATCHES "thread")
  message(STATUS "unit_agent_kafka_client is left out: ThreadSanitizer cannot run librdkafka")
else()
  millrace_test_dir(NAME unit_agent_kafka_client DIR unit/agent_kafka_client TIMEOUT 600
                    DEPS millrace::agent_source_kafka millrace::agent_sink_kafka millrace::agent_kafka
                    PkgConfig::rdkafka)
endif()

# Real brokers and search nodes; exit code 77 says what is missing.
if(TARGET millrace-agent)
  foreach(test IN ITEMS two_members_share_and_hand_over killed_members_and_broker_lose_nothing
                        broker_away_is_said_once_and_survived too_large_for_the_topic tls_and_sasl)
    add_test(NAME kafka_${test} COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/kafka/run.py test_${test})
    set_tests_properties(kafka_${test} PROPERTIES TIMEOUT 900)
    list(APPEND kafka_tests kafka_${test})
  endforeach()
  add_test(NAME kafka_million_lines COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/kafka/million_lines.py 1000000 es9)
  add_test(NAME kafka_lines_opensearch COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/integration/kafka/million_lines.py 100000 os3)
  list(APPEND kafka_tests kafka_million_lines kafka_lines_opensearch)
  set_tests_properties(kafka_million_lines kafka_lines_opensearch PROPERTIES TIMEOUT 1500)
  set_tests_properties(
    ${kafka_tests} PROPERTIES LABELS integration SKIP_RETURN_CODE 77 RUN_SERIAL ON
                              ENVIRONMENT "MILLRACE_AGENT=$<TARGET_FILE:millrace-agent>;PYTHONDONTWRITEBYTECODE=1")
endif()
