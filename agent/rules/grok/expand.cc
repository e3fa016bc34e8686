#include "agent/rules/grok/expand.h"

#include <algorithm>
#include <vector>

#include "common/base/strings.h"

namespace millrace::agent::grok {
namespace {

constexpr std::size_t kMaxPattern = 1 << 20;
constexpr std::size_t kMaxDepth = 50;

class Expander {
 public:
  explicit Expander(const PatternLibrary& library) : library_(library) {}

  Status Run(std::string_view body) {
    for (std::size_t i = 0; i < body.size();) {
      if (out_.pattern.size() > kMaxPattern)
        return Fail(ErrorCode::kInvalidArgument, "the expanded pattern is longer than 1 MiB");
      const char c = body[i];
      if (c == '\\' && i + 1 < body.size()) {
        Escape(body[i + 1], false);
        i += 2;
      } else if (c == '[') {
        i = Class(body, i);
      } else if (c == '%' && body.substr(i).starts_with("%{")) {
        const std::size_t end = body.find('}', i);
        if (end == std::string_view::npos)
          return Fail(ErrorCode::kInvalidArgument, "\"%{\" without \"}\"");
        MILLRACE_TRY(Reference(body.substr(i + 2, end - i - 2)));
        i = end + 1;
      } else if (c == '(' && IsNamedGroup(body.substr(i))) {
        i = NamedGroup(body, i);
      } else {
        out_.pattern += c;
        ++i;
      }
    }
    return {};
  }
  Expanded Take() { return std::move(out_); }

 private:
  static bool IsNamedGroup(std::string_view s) {
    return (s.starts_with("(?<") && !s.starts_with("(?<=") && !s.starts_with("(?<!")) ||
           s.starts_with("(?P<") || s.starts_with("(?'");
  }

  void Escape(char c, bool in_class) {
    // A hex digit to Oniguruma, a blank to PCRE2.
    if (c == 'h') {
      out_.pattern += in_class ? "0-9A-Fa-f" : "[0-9A-Fa-f]";
    } else if (c == 'H' && !in_class) {
      out_.pattern += "[^0-9A-Fa-f]";
    } else {
      out_.pattern += '\\';
      out_.pattern += c;
    }
  }

  /// Copies the class that starts at `i`; classes within it (a union to Oniguruma) lose their
  /// brackets.
  std::size_t Class(std::string_view body, std::size_t i) {
    out_.pattern += body[i++];
    if (i < body.size() && body[i] == '^') out_.pattern += body[i++];
    if (i < body.size() && body[i] == ']') {
      out_.pattern += "\\]";
      ++i;
    }
    std::size_t inner = 0;
    while (i < body.size()) {
      const char c = body[i];
      if (c == '\\' && i + 1 < body.size()) {
        Escape(body[i + 1], true);
        i += 2;
      } else if (c == '[' && i + 1 < body.size() && body[i + 1] == ':') {
        const std::size_t end = body.find(":]", i + 2);
        if (end == std::string_view::npos) {
          out_.pattern += "\\[";
          ++i;
        } else {
          out_.pattern += body.substr(i, end + 2 - i);
          i = end + 2;
        }
      } else if (c == '[') {
        // Only where it is closed again is it a class within the class.
        const std::size_t close = body.find(']', i);
        if (close != std::string_view::npos &&
            body.find(']', close + 1) != std::string_view::npos && Nested(body, i)) {
          ++inner;
        } else {
          out_.pattern += "\\[";
        }
        ++i;
      } else if (c == ']') {
        ++i;
        if (inner == 0) {
          out_.pattern += ']';
          return i;
        }
        --inner;
      } else {
        out_.pattern += c;
        ++i;
      }
    }
    return i;
  }
  /// `[[:alnum:]_]` inside of a class: an inner bracket right behind an opening one.
  static bool Nested(std::string_view body, std::size_t i) {
    return i > 0 && body[i - 1] == '[' && i + 1 < body.size() && body[i + 1] == '[';
  }

  std::size_t NamedGroup(std::string_view body, std::size_t i) {
    const bool quote = body.substr(i).starts_with("(?'");
    const std::size_t start = body.find(quote ? '\'' : '<', i) + 1;
    const std::size_t end = body.find(quote ? '\'' : '>', start);
    if (end == std::string_view::npos) {
      out_.pattern += body[i];
      return i + 1;
    }
    Open(body.substr(start, end - start));
    return end + 1;
  }

  /// `field` or `field:type`.
  void Open(std::string_view target) {
    Capture capture;
    const std::size_t colon = target.find(':');
    capture.field = target.substr(0, colon);
    if (colon != std::string_view::npos) capture.type = target.substr(colon + 1);
    capture.group = "g" + std::to_string(out_.captures.size());
    out_.pattern += "(?<" + capture.group + ">";
    out_.captures.push_back(std::move(capture));
  }

  Status Reference(std::string_view inside) {
    const std::size_t colon = inside.find(':');
    std::string_view name = inside.substr(0, colon);
    name = name.substr(0, name.find(' '));  // "%{NAME some text}" is "%{NAME}"
    const std::string* body = library_.Find(name);
    if (body == nullptr) {
      std::vector<std::string_view> names;
      for (const auto& [known, text] : library_.all()) names.push_back(known);
      return Fail(ErrorCode::kInvalidArgument,
                  "unknown pattern %{" + std::string(name) + "}" + DidYouMean(name, names));
    }
    if (stack_.size() >= kMaxDepth || std::find(stack_.begin(), stack_.end(), name) != stack_.end())
      return Fail(ErrorCode::kInvalidArgument, "pattern %{" + std::string(name) + "} needs itself");
    stack_.push_back(name);
    if (colon != std::string_view::npos && colon + 1 < inside.size())
      Open(inside.substr(colon + 1));
    else
      out_.pattern += "(?:";
    MILLRACE_TRY(Run(*body));
    out_.pattern += ')';
    stack_.pop_back();
    return {};
  }

  const PatternLibrary& library_;
  Expanded out_;
  std::vector<std::string_view> stack_;
};

}  // namespace

Result<Expanded> Expand(std::string_view expression, const PatternLibrary& library) {
  Expander expander(library);
  MILLRACE_TRY(expander.Run(expression));
  return expander.Take();
}

}  // namespace millrace::agent::grok
