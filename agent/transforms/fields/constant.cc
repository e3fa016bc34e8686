#include "agent/transforms/fields/constant.h"

#include <cmath>

#include "agent/core/json_text.h"
#include "agent/core/name.h"
#include "agent/core/path.h"
#include "common/base/strings.h"

namespace millrace::agent {
namespace {

Value Scalar(const YAML::Node& node) {
  const std::string& text = node.Scalar();
  if (node.Tag() != "!") {
    if (text.empty() || text == "~" || text == "null") return Value::Null();
    if (text == "true" || text == "false") return Value::Bool(text == "true");
    if (const auto i = ParseNumber<std::int64_t>(text)) return Value::Int(*i);
    if (text.find_first_not_of("0123456789+-.eE") == std::string::npos) {
      const auto d = ParseNumber<double>(text);
      if (d && std::isfinite(*d)) return Value::Double(*d);
    }
  }
  return Value::Text(InternName(text));
}

void AppendJson(Buffer& out, const YAML::Node& node, int depth) {
  if (depth > 100 || !node.IsDefined() || node.IsNull()) return out.Append("null");
  if (node.IsScalar()) return json::Append(out, Scalar(node));
  bool first = true;
  out.Append(node.IsMap() ? '{' : '[');
  for (const auto& item : node) {
    if (!first) out.Append(',');
    first = false;
    if (node.IsMap()) {
      json::AppendQuoted(out, item.first.IsScalar() ? item.first.Scalar() : "");
      out.Append(':');
      AppendJson(out, item.second, depth + 1);
    } else {
      AppendJson(out, item, depth + 1);
    }
  }
  out.Append(node.IsMap() ? '}' : ']');
}

}  // namespace

Value ConstantOf(const YAML::Node& node) {
  if (!node.IsDefined() || node.IsNull()) return Value::Null();
  if (node.IsScalar()) return Scalar(node);
  Buffer out;
  AppendJson(out, node, 0);
  return Value::Text(InternName(out.view()), Type::kRawJson);
}

std::string FieldPathFault(const std::string& text) {
  const auto path = Path::Parse(text);
  if (!path) return path.error().message;
  return path->root() ? "must name a field, not the whole event" : "";
}

void CheckPathKeys(config::Visitor& v, const char* key) {
  if (v.describing() || !v.Has(key) || !v.node()[key].IsMap()) return;
  for (const auto& item : v.node()[key])
    if (item.first.IsScalar())
      if (std::string why = FieldPathFault(item.first.Scalar()); !why.empty())
        v.ComplainAt(item.first, key, std::move(why));
}

}  // namespace millrace::agent
