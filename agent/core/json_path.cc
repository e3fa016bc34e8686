#include "agent/core/json_path.h"

#include <simdjson.h>

namespace millrace::agent {

bool AppendJsonPath(std::string_view json, std::string_view path, std::string& scratch,
                    std::string& out) {
  thread_local simdjson::ondemand::parser parser;
  scratch.assign(json);
  scratch.reserve(scratch.size() + simdjson::SIMDJSON_PADDING);
  simdjson::ondemand::document document;
  if (parser
          .iterate(simdjson::padded_string_view(scratch.data(), scratch.size(), scratch.capacity()))
          .get(document) != simdjson::SUCCESS)
    return false;
  simdjson::ondemand::value value;
  if (document.get_value().get(value) != simdjson::SUCCESS) return false;
  for (;;) {
    const std::size_t dot = path.find('.');
    simdjson::ondemand::object object;
    if (value.get_object().get(object) != simdjson::SUCCESS ||
        object.find_field(path.substr(0, dot)).get(value) != simdjson::SUCCESS)
      return false;
    if (dot == std::string_view::npos) break;
    path.remove_prefix(dot + 1);
  }
  simdjson::ondemand::json_type type;
  if (value.type().get(type) != simdjson::SUCCESS) return false;
  if (type == simdjson::ondemand::json_type::string) {
    std::string_view text;
    if (value.get_string().get(text) != simdjson::SUCCESS) return false;
    out += text;
    return true;
  }
  if (type != simdjson::ondemand::json_type::number &&
      type != simdjson::ondemand::json_type::boolean)
    return false;
  std::string_view token = value.raw_json_token();
  while (!token.empty() && (token.back() == ' ' || token.back() == '\n' || token.back() == '\r' ||
                            token.back() == '\t'))
    token.remove_suffix(1);
  out += token;
  return true;
}

}  // namespace millrace::agent
