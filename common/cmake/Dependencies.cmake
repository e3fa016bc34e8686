# Every library that the project stands on, in one place. docs/dependencies.md says why each.
# Debian's packages by default; -DMILLRACE_FETCH_MISSING=ON downloads, pinned by hash, the
# header-only or small ones that a distribution lacks.
include(FetchContent)
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)

# millrace_dependency(NAME <package> URL <url> SHA256 <hash>): find_package(<package> CONFIG), else fetch.
macro(millrace_dependency)
  cmake_parse_arguments(D "" "NAME;URL;SHA256" "" ${ARGN})
  find_package(${D_NAME} CONFIG QUIET)
  if(NOT ${D_NAME}_FOUND)
    if(NOT MILLRACE_FETCH_MISSING)
      message(FATAL_ERROR "${D_NAME} is missing. Install its package (common/setup lists them) or configure "
                          "with -DMILLRACE_FETCH_MISSING=ON")
    endif()
    FetchContent_Declare(${D_NAME} URL ${D_URL} URL_HASH SHA256=${D_SHA256})
    FetchContent_MakeAvailable(${D_NAME})
  endif()
endmacro()

# millrace_pkg(<target suffix> <pkg-config module>): imported target PkgConfig::<suffix>.
macro(millrace_pkg suffix module)
  pkg_check_modules(${suffix} REQUIRED IMPORTED_TARGET GLOBAL ${module})
endmacro()

find_package(fmt CONFIG REQUIRED)
find_package(tl-expected CONFIG REQUIRED)
find_package(yaml-cpp CONFIG REQUIRED)
if(NOT TARGET yaml-cpp::yaml-cpp) # 0.7 exports the bare name
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()
find_package(simdjson CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)
find_package(CLI11 CONFIG REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)
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
