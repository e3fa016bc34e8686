#include "agent/rules/grok/grok.h"

#include <algorithm>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <simdjson.h>

#include "agent/core/escape.h"
#include "agent/core/json_text.h"
#include "agent/core/name.h"
#include "agent/rules/grok/expand.h"
#include "common/base/buffer.h"
#include "common/base/strings.h"

namespace millrace::agent {
namespace {

struct CodeDelete {
  void operator()(pcre2_code* p) const { pcre2_code_free(p); }
};
struct DataDelete {
  void operator()(pcre2_match_data* p) const { pcre2_match_data_free(p); }
};
struct ContextDelete {
  void operator()(pcre2_match_context* p) const { pcre2_match_context_free(p); }
};
struct StackDelete {
  void operator()(pcre2_jit_stack* p) const { pcre2_jit_stack_free(p); }
};

/// What a thread needs to match; made once, reused for all patterns.
struct Matcher {
  static constexpr std::uint32_t kPairs = 512;
  std::unique_ptr<pcre2_match_data, DataDelete> data{pcre2_match_data_create(kPairs, nullptr)};
  std::unique_ptr<pcre2_match_context, ContextDelete> context{pcre2_match_context_create(nullptr)};
  std::unique_ptr<pcre2_jit_stack, StackDelete> stack{
      pcre2_jit_stack_create(32 * 1024, 1024 * 1024, nullptr)};
  Matcher() {
    pcre2_jit_stack_assign(context.get(), nullptr, stack.get());
    pcre2_set_depth_limit(context.get(), 10'000);
    pcre2_set_heap_limit(context.get(), 4 * 1024);  // KiB
  }
};

enum class Typed : std::uint8_t { kString, kInt, kFloat };

Value ValueOf(std::string_view text, Typed type) {
  if (type == Typed::kInt) {
    std::string_view digits = text.substr(0, text.find('.'));
    if (digits.starts_with("+")) digits.remove_prefix(1);
    if (const auto i = ParseNumber<std::int64_t>(digits)) return Value::Int(*i);
  } else if (type == Typed::kFloat) {
    std::string_view digits = text;
    if (digits.starts_with("+")) digits.remove_prefix(1);
    if (const auto d = ParseNumber<double>(digits)) return Value::Double(*d);
  }
  return Value::Text(text);
}

/// "[a][b]" or "a" as names.
std::vector<std::string> Names(std::string_view field) {
  if (field.empty() || field[0] != '[') return {std::string(field)};
  std::vector<std::string> names;
  while (field.starts_with("[")) {
    const std::size_t end = field.find(']');
    if (end == std::string_view::npos) break;
    names.emplace_back(field.substr(1, end - 1));
    field.remove_prefix(end + 1);
  }
  return names;
}

}  // namespace

struct GrokDecoder::Pattern {
  struct Group {
    std::uint32_t number;
    Typed type;
  };
  /// A field, or an object that holds others.
  struct Node {
    std::string_view name;
    std::vector<Group> groups;
    std::vector<Node> children;
  };
  std::unique_ptr<pcre2_code, CodeDelete> code;
  std::vector<Node> fields;
};

namespace {

std::string_view Captured(const PCRE2_SIZE* pairs, std::uint32_t number, std::string_view text) {
  const PCRE2_SIZE start = pairs[2 * number], end = pairs[2 * number + 1];
  if (start == PCRE2_UNSET || end <= start) return {};
  return text.substr(start, end - start);
}

template <class N>
Value Gather(const N& node, const PCRE2_SIZE* pairs, std::string_view text, Arena& arena) {
  Value first;
  Buffer list;
  for (const auto& group : node.groups) {
    const std::string_view piece = Captured(pairs, group.number, text);
    if (piece.empty()) continue;
    const Value value = ValueOf(piece, group.type);
    if (!first.present) {
      first = value;
      continue;
    }
    if (list.empty()) {
      list.Append('[');
      json::Append(list, first);
    }
    list.Append(',');
    json::Append(list, value);
  }
  if (list.empty()) return first;
  list.Append(']');
  return Value::Text(arena.Copy(list.view()), Type::kRawJson);
}

/// Appends `"name":{...}` members; false if the object is empty.
template <class N>
bool AppendObject(Buffer& out, const N& node, const PCRE2_SIZE* pairs, std::string_view text,
                  Arena& arena) {
  bool any = false;
  out.Append('{');
  for (const auto& child : node.children) {
    const std::size_t before = out.size();
    if (any) out.Append(',');
    json::AppendQuoted(out, child.name);
    out.Append(':');
    bool written = true;
    if (child.children.empty()) {
      const Value value = Gather(child, pairs, text, arena);
      written = value.present;
      if (written) json::Append(out, value);
    } else {
      written = AppendObject(out, child, pairs, text, arena);
    }
    if (!written) out.Truncate(before);
    any = any || written;
  }
  out.Append('}');
  return any;
}

template <class N>
void Insert(std::vector<N>& nodes, const std::vector<std::string>& names, std::size_t at,
            std::uint32_t number, Typed type) {
  const std::string_view name = InternName(names[at]);
  auto it = std::find_if(nodes.begin(), nodes.end(), [&](const N& n) { return n.name == name; });
  if (it == nodes.end()) {
    nodes.push_back({name, {}, {}});
    it = nodes.end() - 1;
  }
  if (at + 1 == names.size())
    it->groups.push_back({number, type});
  else
    Insert(it->children, names, at + 1, number, type);
}

}  // namespace

GrokDecoder::GrokDecoder() = default;
GrokDecoder::~GrokDecoder() = default;

Result<std::shared_ptr<const GrokDecoder>> GrokDecoder::Make(const GrokOptions& options) {
  const std::shared_ptr<GrokDecoder> decoder(new GrokDecoder());
  decoder->match_limit_ = options.match_limit;
  for (const std::string& expression : options.patterns) {
    auto expanded = grok::Expand(expression, *options.library);
    if (!expanded) return tl::make_unexpected(std::move(expanded).error().Within(expression));
    auto pattern = std::make_unique<Pattern>();
    int error = 0;
    PCRE2_SIZE offset = 0;
    pattern->code.reset(pcre2_compile(
        reinterpret_cast<PCRE2_SPTR>(expanded->pattern.data()), expanded->pattern.size(),
        PCRE2_UTF | PCRE2_UCP | PCRE2_DOTALL | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C, &error,
        &offset, nullptr));
    if (pattern->code == nullptr) {
      PCRE2_UCHAR message[256];
      pcre2_get_error_message(error, message, sizeof message);
      const std::size_t from = offset > 30 ? offset - 30 : 0;
      return Fail(ErrorCode::kInvalidArgument,
                  expression + ": does not compile: " + reinterpret_cast<const char*>(message) +
                      " at \"" + expanded->pattern.substr(from, offset - from) + "\"");
    }
    // Without JIT (not on this machine) matching is slower and means the same.
    static_cast<void>(pcre2_jit_compile(pattern->code.get(), PCRE2_JIT_COMPLETE));
    std::uint32_t groups = 0;
    pcre2_pattern_info(pattern->code.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups >= Matcher::kPairs)
      return Fail(ErrorCode::kInvalidArgument,
                  expression + ": more than " + std::to_string(Matcher::kPairs - 1) + " groups");
    for (const grok::Capture& capture : expanded->captures) {
      const int number = pcre2_substring_number_from_name(
          pattern->code.get(), reinterpret_cast<PCRE2_SPTR>(capture.group.c_str()));
      const std::vector<std::string> names = Names(capture.field);
      if (number <= 0 || names.empty() || names.size() > 32)
        return Fail(ErrorCode::kInvalidArgument,
                    expression + ": \"" + capture.field + "\" is no field");
      if (!capture.type.empty() && capture.type != "int" && capture.type != "float" &&
          capture.type != "string")
        return Fail(ErrorCode::kInvalidArgument, expression + ": unknown type \"" + capture.type +
                                                     "\": one of int, float, string");
      Insert(pattern->fields, names, 0, static_cast<std::uint32_t>(number),
             capture.type == "int"     ? Typed::kInt
             : capture.type == "float" ? Typed::kFloat
                                       : Typed::kString);
    }
    decoder->patterns_.push_back(std::move(pattern));
  }
  return decoder;
}

const char* GrokDecoder::Decode(std::string_view text, Arena& arena, Decoded& out) const {
  thread_local Matcher matcher;
  pcre2_set_match_limit(matcher.context.get(), match_limit_);
  // "." would not match a byte that is not UTF-8, and the rest of the line would be cut off.
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    Buffer repaired;
    AppendUtf8(repaired, text);
    text = arena.Copy(repaired.view());
  }
  bool limited = false;
  for (const auto& pattern : patterns_) {
    const int found =
        pcre2_match(pattern->code.get(), reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), 0,
                    PCRE2_NO_UTF_CHECK, matcher.data.get(), matcher.context.get());
    if (found < 0) {
      limited = limited || found != PCRE2_ERROR_NOMATCH;
      continue;
    }
    const PCRE2_SIZE* pairs = pcre2_get_ovector_pointer(matcher.data.get());
    for (const Pattern::Node& node : pattern->fields) {
      if (node.children.empty()) {
        const Value value = Gather(node, pairs, text, arena);
        if (value.present) out.fields.push_back(value.Named(node.name));
        continue;
      }
      thread_local Buffer object;
      object.clear();
      if (AppendObject(object, node, pairs, text, arena))
        out.Add(node.name, arena.Copy(object.view()), Type::kRawJson);
    }
    return nullptr;
  }
  return limited ? "a pattern hit its limit of backtracking" : "no pattern matches";
}

}  // namespace millrace::agent
