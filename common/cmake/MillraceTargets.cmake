# Helpers that make targets the same everywhere: one static library per folder, known as millrace::<name>.

add_library(millrace_warnings INTERFACE)
if(MILLRACE_DEVELOPER_MODE)
  target_compile_options(
    millrace_warnings
    INTERFACE -Wall -Wextra -Wshadow -Wnon-virtual-dtor -Wold-style-cast -Wimplicit-fallthrough -Werror
              $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>
              # g++ 12 reports false positives in std::string and std::optional at -O2.
              $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict -Wno-maybe-uninitialized -Wno-stringop-overflow
              -Wno-stringop-overread -Wno-array-bounds -Wno-dangling-pointer>)
endif()

if(MILLRACE_SANITIZE)
  # An empty string_view may be null, and copying nothing from null is allowed from C2y on.
  add_compile_options(-fsanitize=${MILLRACE_SANITIZE} -fno-sanitize=nonnull-attribute -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${MILLRACE_SANITIZE})
  if(MILLRACE_SANITIZE MATCHES "thread")
    add_compile_options(-Wno-tsan) # g++ 12: atomic_thread_fence
  endif()
endif()

if(MILLRACE_BUILD_FUZZERS)
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()
# What tests/run builds.
add_custom_target(unit_tests)
add_custom_target(fuzz_targets)

# Linking is a third of a rebuild with the default linker.
find_program(MILLRACE_MOLD mold)
if(MILLRACE_MOLD AND MILLRACE_DEVELOPER_MODE)
  add_link_options(-fuse-ld=mold)
endif()
find_program(MILLRACE_CCACHE ccache)
if(MILLRACE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${MILLRACE_CCACHE})
endif()

# Unused functions and data are dropped from the binaries.
add_compile_options(-ffunction-sections -fdata-sections)
add_link_options(-Wl,--gc-sections)
if(NOT MILLRACE_SANITIZE) # a sanitizer's interceptor makes its library look unneeded, such as libcrypt
  add_link_options(-Wl,--as-needed)
endif()

# millrace_library(NAME x [DIRS dir...] [DEPS ...] [PRIVATE_DEPS ...])
# Every *.cc of the folder (or of DIRS) but main.cc goes into static library millrace::x. A new
# source file needs no change to any list.
function(millrace_library)
  cmake_parse_arguments(L "" "NAME" "DIRS;DEPS;PRIVATE_DEPS" ${ARGN})
  if(NOT L_DIRS)
    set(L_DIRS .)
  endif()
  set(sources)
  foreach(dir IN LISTS L_DIRS)
    file(GLOB found CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/*.cc)
    list(APPEND sources ${found})
  endforeach()
  list(FILTER sources EXCLUDE REGEX "/main\\.cc$")
  add_library(millrace_${L_NAME} STATIC ${sources})
  add_library(millrace::${L_NAME} ALIAS millrace_${L_NAME})
  target_include_directories(millrace_${L_NAME} PUBLIC ${PROJECT_SOURCE_DIR})
  target_link_libraries(millrace_${L_NAME} PUBLIC ${L_DEPS} PRIVATE ${L_PRIVATE_DEPS} millrace_warnings)
endfunction()

# millrace_binary(NAME millrace-x DEPS ...): the executable of main.cc in this folder.
function(millrace_binary)
  cmake_parse_arguments(B "" "NAME" "DEPS" ${ARGN})
  add_executable(${B_NAME} main.cc)
  target_link_libraries(${B_NAME} PRIVATE ${B_DEPS} millrace_warnings)
  set_target_properties(${B_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bin)
  install(TARGETS ${B_NAME} RUNTIME DESTINATION bin COMPONENT ${B_NAME})
endfunction()

# millrace_test_dir(NAME x DEPS ...): every *.cc of the folder into one test binary, run by ctest.
function(millrace_test_dir)
  cmake_parse_arguments(T "" "NAME;TIMEOUT;DIR" "DEPS;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 120)
  endif()
  if(NOT T_LABELS)
    set(T_LABELS unit)
  endif()
  file(GLOB_RECURSE sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${T_DIR}/*.cc)
  if(NOT sources)
    return()
  endif()
  add_executable(${T_NAME} ${sources})
  target_link_libraries(${T_NAME} PRIVATE ${T_DEPS} millrace_test_main millrace_warnings)
  set_target_properties(${T_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  if("unit" IN_LIST T_LABELS)
    add_dependencies(unit_tests ${T_NAME})
  endif()
  add_test(NAME ${T_NAME} COMMAND ${T_NAME} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
  set_tests_properties(${T_NAME} PROPERTIES LABELS "${T_LABELS}" TIMEOUT ${T_TIMEOUT})
endfunction()

# millrace_fuzz(NAME fuzz_x SRC file DEPS ...): a libFuzzer target; nothing without MILLRACE_BUILD_FUZZERS.
function(millrace_fuzz)
  cmake_parse_arguments(F "" "NAME;SRC" "DEPS" ${ARGN})
  if(NOT MILLRACE_BUILD_FUZZERS)
    return()
  endif()
  add_executable(${F_NAME} ${F_SRC})
  target_link_libraries(${F_NAME} PRIVATE ${F_DEPS} millrace_warnings)
  set_target_properties(${F_NAME} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/fuzz)
  target_link_options(${F_NAME} PRIVATE -fsanitize=fuzzer)
  add_dependencies(fuzz_targets ${F_NAME})
endfunction()
