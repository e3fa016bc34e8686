# Every library that the project stands on, in one place. docs/dependencies.md says why each.
# Debian's packages by default; -DMILLRACE_FETCH_MISSING=ON downloads, pinned by hash, the
# header-only or small ones that a distribution lacks.
include(FetchContent)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# millrace_dependency(NAME <package> REPOSITORY <url> COMMIT <hash>):
# find_package(<package> CONFIG); without it, with MILLRACE_FETCH_MISSING, the sources of exactly that
# commit, whose hash is a hash of their content.
macro(millrace_dependency)
  cmake_parse_arguments(D "" "NAME;REPOSITORY;COMMIT" "" ${ARGN})
  find_package(${D_NAME} CONFIG QUIET)
  if(NOT ${D_NAME}_FOUND)
    if(NOT MILLRACE_FETCH_MISSING)
      message(FATAL_ERROR "${D_NAME} is missing. Install its package (common/setup/install does) or configure with "
                          "-DMILLRACE_FETCH_MISSING=ON to download it.")
    endif()
    message(STATUS "Fetching ${D_NAME} at ${D_COMMIT}")
    FetchContent_Declare(${D_NAME} GIT_REPOSITORY ${D_REPOSITORY} GIT_TAG ${D_COMMIT} GIT_SUBMODULES "")
    FetchContent_MakeAvailable(${D_NAME})
  endif()
endmacro()

# millrace_pkg(<target suffix> <pkg-config module>): imported target PkgConfig::<suffix>.
macro(millrace_pkg suffix module)
  pkg_check_modules(${suffix} REQUIRED IMPORTED_TARGET GLOBAL ${module})
endmacro()

# What the fetched projects would build beside their library.
set(CMAKE_POLICY_DEFAULT_CMP0077 NEW) # let the variables below win over their options
set(EXPECTED_BUILD_TESTS OFF)
set(YAML_CPP_BUILD_TESTS OFF)
set(YAML_CPP_BUILD_TOOLS OFF)
set(SPDLOG_FMT_EXTERNAL ON)
set(ENABLE_TESTING OFF)
set(ENABLE_PUSH OFF)
set(ENABLE_PULL OFF)

millrace_dependency(NAME fmt REPOSITORY https://github.com/fmtlib/fmt COMMIT e69e5f977d458f2650bb346dadf2ad30c5320281) # 10.2.1
millrace_dependency(NAME tl-expected REPOSITORY https://github.com/TartanLlama/expected
                    COMMIT 292eff8bd8ee230a7df1d6a1c00c4ea0eb2f0362) # 1.1.0
millrace_dependency(NAME yaml-cpp REPOSITORY https://github.com/jbeder/yaml-cpp COMMIT f7320141120f720aecc4c32be25586e7da9eb978) # 0.8.0
if(NOT TARGET yaml-cpp::yaml-cpp) # 0.7 exports the bare name
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
millrace_dependency(NAME simdjson REPOSITORY https://github.com/simdjson/simdjson COMMIT 7382dc2be88e53fbc35cb50369b831855656f0fd) # 3.12.3
millrace_dependency(NAME spdlog REPOSITORY https://github.com/gabime/spdlog COMMIT 7c02e204c92545f869e2f04edaab1f19fe8b19fd) # 1.13.0
millrace_dependency(NAME CLI11 REPOSITORY https://github.com/CLIUtils/CLI11 COMMIT 6c7b07a878ad834957b98d0f9ce1dbe0cb204fc9) # 2.4.2
millrace_dependency(NAME prometheus-cpp REPOSITORY https://github.com/jupp0r/prometheus-cpp
                    COMMIT ad99e21f4706193670c42b36c9824dc997f4c475) # 1.2.4
find_package(OpenSSL REQUIRED)
find_package(ZLIB REQUIRED)
find_package(CURL REQUIRED)
millrace_pkg(httplib cpp-httplib)
millrace_pkg(nghttp2 libnghttp2)
millrace_pkg(zstd libzstd)
millrace_pkg(deflate libdeflate)
millrace_pkg(lz4 liblz4)
millrace_pkg(rdkafka rdkafka)
millrace_pkg(re2 re2)
millrace_pkg(pcre2 libpcre2-8)
millrace_pkg(xxhash libxxhash)
millrace_pkg(sqlite3 sqlite3)
pkg_check_modules(systemd IMPORTED_TARGET GLOBAL libsystemd)

# C++ libraries without a stable ABI of their own go into the binaries when the distribution has
# them as archives: libstdc++.so alone keeps 1.6 MB resident in a process that needs a tenth of it.
# Sanitizers want the shared ones, which they know how to intercept.
option(MILLRACE_STATIC_CXX "Link libstdc++, re2, yaml-cpp and fmt statically into the exporters" ON)
if(MILLRACE_SANITIZE)
  set(MILLRACE_STATIC_CXX OFF)
endif()
# millrace_static_alternative(<target> <archive>): millrace::<target> is the archive, or else the
# imported target it stands for.
function(millrace_static_alternative name shared archive)
  add_library(millrace_dep_${name} INTERFACE)
  add_library(millrace::dep_${name} ALIAS millrace_dep_${name})
  find_library(MILLRACE_ARCHIVE_${name} ${archive})
  if(MILLRACE_STATIC_CXX AND MILLRACE_ARCHIVE_${name})
    target_link_libraries(millrace_dep_${name} INTERFACE ${MILLRACE_ARCHIVE_${name}} Threads::Threads)
  else()
    target_link_libraries(millrace_dep_${name} INTERFACE ${shared})
  endif()
endfunction()
millrace_static_alternative(re2 PkgConfig::re2 libre2.a)
millrace_static_alternative(yaml yaml-cpp::yaml-cpp libyaml-cpp.a)
