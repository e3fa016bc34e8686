# Microbenchmarks: built on demand (ninja bench_agent_transforms), run by hand, not by ctest.
find_package(benchmark CONFIG QUIET)
if(benchmark_FOUND)
  add_executable(bench_agent_transforms EXCLUDE_FROM_ALL bench/micro/transforms.cc)
  target_link_libraries(bench_agent_transforms PRIVATE millrace::agent_registry millrace::agent_route
                        millrace::agent_source_generator millrace::encode benchmark::benchmark millrace_warnings)
endif()
