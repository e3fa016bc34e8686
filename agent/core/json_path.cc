#include "agent/core/json_path.h"

#include <charconv>

#include <simdjson.h>

namespace millrace::agent {

bool AppendJsonPath(std::string_view json, std::string_view path, std::string& scratch,
                    std::string& out) {
  // DOM: Debian's on-demand build has no vector code.
  thread_local simdjson::dom::parser parser;
  scratch.assign(json);
  scratch.reserve(scratch.size() + simdjson::SIMDJSON_PADDING);
  simdjson::dom::element value;
  if (parser.parse(scratch.data(), scratch.size(), false).get(value) != simdjson::SUCCESS)
    return false;
  for (;;) {
    const std::size_t dot = path.find('.');
    if (value[path.substr(0, dot)].get(value) != simdjson::SUCCESS) return false;
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  char number[32];
  switch (value.type()) {
    case simdjson::dom::element_type::STRING:
      out += std::string_view(value);
      return true;
    case simdjson::dom::element_type::BOOL:
      out += bool(value) ? "true" : "false";
      return true;
    case simdjson::dom::element_type::INT64:
      out.append(number, std::to_chars(number, number + 32, std::int64_t(value)).ptr);
      return true;
    case simdjson::dom::element_type::UINT64:
      out.append(number, std::to_chars(number, number + 32, std::uint64_t(value)).ptr);
      return true;
    case simdjson::dom::element_type::DOUBLE:
      out.append(number, std::to_chars(number, number + 32, double(value)).ptr);
      return true;
    default:
      return false;
  }
}

}  // namespace millrace::agent
