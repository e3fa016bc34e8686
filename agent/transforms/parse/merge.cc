#include "agent/transforms/parse/merge.h"

#include "agent/core/json_text.h"
#include "common/base/buffer.h"

namespace millrace::agent {

std::string_view TextOf(const Value& value, Arena& arena) {
  if (!value.is_string()) return {};
  if (value.type != Type::kJsonString || !json::HasEscapes(value.text()))
    return value.len != 0 ? value.text() : std::string_view("");
  char* const out = arena.Allocate(value.len);
  const std::size_t size = json::Unescape(value.text(), out);
  arena.Shrink(out, value.len, size);
  return {out, size};
}

Value AsObject(const Decoded& decoded, Arena& arena) {
  if (decoded.value.present) return decoded.value;
  if (decoded.object != nullptr)
    return Value::Text({decoded.object, decoded.object_len}, Type::kRawJson);
  thread_local Buffer out;
  out.clear();
  out.Append('{');
  for (const Field& f : decoded.fields) {
    if (out.size() > 1) out.Append(',');
    json::AppendQuoted(out, f.name());
    out.Append(':');
    json::Append(out, Value::Of(f));
  }
  out.Append('}');
  return Value::Text(arena.Copy(out.view()), Type::kRawJson);
}

void MergeTop(EventBatch& batch, std::size_t i, Decoded& decoded, const Path& source,
              bool drop_source) {
  std::vector<Field>& fields = decoded.fields;
  const std::size_t fresh = fields.size();
  const auto is_fresh = [&](std::string_view name) {
    for (std::size_t k = 0; k < fresh; ++k)
      if (fields[k].name_len == name.size() && fields[k].name() == name) return true;
    return false;
  };
  // An object field that holds the source is changed, not removed.
  const bool inner = drop_source && !source.top_level();
  if (inner) source.Remove(batch, i);
  const bool drop = drop_source && !inner;
  bool dropped = false;
  for (const Field& f : batch.fields(i)) {
    if (drop && f.name() == source.field()) {
      dropped = true;
      // A marker that hides a common field stays.
      if (!FieldView::Hidden(f)) continue;
    }
    if (!is_fresh(f.name())) fields.push_back(f);
  }
  batch.Replace(i, fields);
  Event& e = batch.event(i);
  if (decoded.object != nullptr) {
    e.object = decoded.object;
    e.object_len = decoded.object_len;
    e.object_fields = static_cast<std::uint16_t>(fresh);
  }
  if (decoded.time_ns != 0) e.time_ns = decoded.time_ns;
  if (drop && !dropped && !is_fresh(source.field())) batch.Remove(i, source.field());
}

}  // namespace millrace::agent
