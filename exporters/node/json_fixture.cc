#include "exporters/node/json_fixture.h"

#include <algorithm>

#include <yaml-cpp/yaml.h>

#include "common/base/fd.h"
#include "common/base/strings.h"

namespace millrace::node {
namespace {

JsonObject ToObject(const YAML::Node& node) {
  JsonObject object;
  for (const auto& kv : node)
    if (kv.second.IsScalar()) object[ToLower(kv.first.Scalar())] = kv.second.Scalar();
  return object;
}

}  // namespace

Result<std::vector<JsonObject>> ReadJsonObjects(const std::string& path) {
  MILLRACE_ASSIGN(std::string text, ReadFile(path, std::size_t{1} << 20));
  // JSON is YAML but for tabs; a library for it is linked already.
  std::replace(text.begin(), text.end(), '\t', ' ');
  std::vector<JsonObject> objects;
  try {
    const YAML::Node root = YAML::Load(text);
    if (root.IsMap()) objects.push_back(ToObject(root));
    if (root.IsSequence())
      for (const auto& item : root) objects.push_back(ToObject(item));
  } catch (const YAML::Exception& e) {
    return Fail(ErrorCode::kParse, path + ": " + e.what());
  }
  return objects;
}

std::string_view TextOf(const JsonObject& object, std::string_view key) {
  const auto at = object.find(key);
  return at == object.end() ? std::string_view() : std::string_view(at->second);
}

double NumberOf(const JsonObject& object, std::string_view key) {
  return ParseNumber<double>(TextOf(object, key)).value_or(0);
}

}  // namespace millrace::node
