#include "agent/decode/dissect.h"

#include <algorithm>

#include "agent/core/name.h"
#include "agent/decode/convert.h"
#include "common/base/strings.h"

namespace millrace::agent {

Result<std::shared_ptr<const DissectDecoder>> DissectDecoder::Make(std::string_view pattern,
                                                                   bool infer_types) {
  const auto bad = [](std::string why) {
    return Fail(ErrorCode::kInvalidArgument, std::move(why));
  };
  auto decoder = std::make_shared<DissectDecoder>();
  std::string_view rest = pattern;
  std::size_t at = rest.find("%{");
  if (at == std::string_view::npos) return bad("the pattern has no %{field}");
  decoder->prefix_ = rest.substr(0, at);
  std::string before = decoder->prefix_;
  rest.remove_prefix(at);
  while (!rest.empty()) {
    const std::size_t close = rest.find('}');
    if (close == std::string_view::npos) return bad("\"%{\" without \"}\"");
    std::string_view inside = rest.substr(2, close - 2);
    rest.remove_prefix(close + 1);
    Key key;
    if (inside.ends_with("->")) {
      key.repeat = true;
      inside.remove_suffix(2);
    }
    const bool skip = inside.empty() || inside[0] == '?';
    if (!inside.empty() && inside[0] == '+') {
      key.append = true;
      decoder->appends_ = true;
      inside.remove_prefix(1);
      if (const std::size_t slash = inside.rfind('/'); slash != std::string_view::npos) {
        const auto order = ParseNumber<int>(inside.substr(slash + 1));
        if (!order || *order < 1) return bad("the order behind \"/\" is a number from 1");
        key.order = *order;
        inside = inside.substr(0, slash);
      }
    }
    if (!inside.empty() && (inside[0] == '&' || inside[0] == '*'))
      return bad("fields named by other fields (%{&x}, %{*x}) are not supported");
    if (inside.starts_with("[") && inside.ends_with("]"))
      inside = inside.substr(1, inside.size() - 2);
    if (!skip) {
      if (inside.empty() || inside.find_first_of("[]%{") != std::string_view::npos)
        return bad("\"" + std::string(inside) + "\" is no name of a field");
      key.name = InternName(inside);
    }
    key.before = before;
    at = std::min(rest.find("%{"), rest.size());
    key.delimiter = rest.substr(0, at);
    rest.remove_prefix(at);
    if (key.delimiter.empty() && !rest.empty())
      return bad("there must be a delimiter between two fields");
    before = key.delimiter;
    decoder->keys_.push_back(std::move(key));
  }
  for (Key& key : decoder->keys_) {
    const bool joined = std::any_of(decoder->keys_.begin(), decoder->keys_.end(),
                                    [&](const Key& k) { return k.append && k.name == key.name; });
    key.infer = infer_types && !joined;
    if (key.before.empty()) key.before = key.delimiter;
  }
  return decoder;
}

const char* DissectDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  if (!text.starts_with(prefix_)) return "the text does not start as the pattern does";
  text.remove_prefix(prefix_.size());
  thread_local std::vector<std::pair<const Key*, std::string_view>> found;
  found.clear();
  for (const Key& key : keys_) {
    std::string_view piece = text;
    if (!key.delimiter.empty()) {
      const std::size_t at = text.find(key.delimiter);
      if (at == std::string_view::npos) return "a delimiter is missing";
      piece = text.substr(0, at);
      text.remove_prefix(at + key.delimiter.size());
      // Padding in front of a delimiter such as " [" belongs to it too.
      while (key.repeat && key.delimiter[0] == ' ' && piece.ends_with(' ')) piece.remove_suffix(1);
      while (key.repeat && text.starts_with(key.delimiter))
        text.remove_prefix(key.delimiter.size());
    }
    if (!key.name.empty()) found.emplace_back(&key, piece);
  }
  if (appends_) {
    // Fields in the order of the pattern, their pieces in the order that is asked for.
    for (const auto& [key, piece] : found) {
      const std::string_view name = key->name;
      if (std::none_of(out.fields.begin(), out.fields.end(),
                       [&](const Field& f) { return f.name() == name; }))
        out.fields.push_back(Field::Null(name));
    }
    std::stable_sort(found.begin(), found.end(),
                     [](const auto& a, const auto& b) { return a.first->order < b.first->order; });
  }
  for (const auto& [key, piece] : found) {
    const std::string_view name = key->name;
    const auto old = std::find_if(out.fields.begin(), out.fields.end(),
                                  [&](const Field& f) { return f.name() == name; });
    const Value value = key->infer ? Inferred(piece) : Value::Text(piece);
    if (old == out.fields.end()) {
      out.fields.push_back(value.Named(name));
    } else if (key->append && old->type != Type::kNull) {
      char* const joined = arena.Allocate(old->text().size() + key->before.size() + piece.size());
      char* end = std::copy(old->text().begin(), old->text().end(), joined);
      end = std::copy(key->before.begin(), key->before.end(), end);
      end = std::copy(piece.begin(), piece.end(), end);
      *old = Field::String(name, {joined, static_cast<std::size_t>(end - joined)});
    } else {
      *old = value.Named(name);
    }
  }
  return nullptr;
}

}  // namespace millrace::agent
