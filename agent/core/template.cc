#include "agent/core/template.h"

#include <algorithm>
#include <charconv>
#include <chrono>

#include "agent/core/json_path.h"
#include "common/base/strings.h"
#include "common/time/format.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kMaxSource = 1024, kMaxText = 4096, kMaxPathValue = 200;

std::size_t MaxLength(TemplateUse use) {
  switch (use) {
    case TemplateUse::kIndex:
      return 255;
    case TemplateUse::kTopic:
      return 249;
    case TemplateUse::kPath:
    case TemplateUse::kText:
      break;
  }
  return kMaxText;
}

bool Allowed(TemplateUse use, unsigned char c) {
  switch (use) {
    case TemplateUse::kIndex:
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    case TemplateUse::kTopic:
      return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
             c == '.' || c == '_' || c == '-';
    case TemplateUse::kPath:
      return c >= 0x20 && c != '/' && c != 0x7F;
    case TemplateUse::kText:
      break;
  }
  return true;
}

/// What is wrong with literal text, or "".
std::string LiteralFault(TemplateUse use, std::string_view text) {
  if (use != TemplateUse::kIndex && use != TemplateUse::kTopic) {
    if (use == TemplateUse::kPath && text.find('\0') != std::string_view::npos)
      return "must not have a NUL byte";
    return {};
  }
  for (const char c : text)
    if (!Allowed(use, static_cast<unsigned char>(c)))
      return "must not have \"" + Printable({&c, 1}) + "\" in its literal text" +
             (c >= 'A' && c <= 'Z' ? " (an index name is lower case)" : "");
  return {};
}

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// The value as plain text, `rest` being a path inside it. False if there is none.
bool AppendValue(const Field& field, std::string_view rest, std::string& out) {
  thread_local std::string scratch;
  if (!rest.empty())
    return field.type == Type::kRawJson && AppendJsonPath(field.text(), rest, scratch, out);
  char text[kMaxRfc3339 + 8];
  switch (field.type) {
    case Type::kNull:
      return false;
    case Type::kBool:
      out += field.i64 != 0 ? "true" : "false";
      return true;
    case Type::kInt:
      out.append(text, std::to_chars(text, text + sizeof text, field.i64).ptr);
      return true;
    case Type::kDouble:
      out.append(text, std::to_chars(text, text + sizeof text, field.f64).ptr);
      return true;
    case Type::kString:
      out += field.text();
      return true;
    case Type::kJsonString:
      if (field.text().find('\\') != std::string_view::npos)
        return AppendJsonPath("{\"v\":\"" + std::string(field.text()) + "\"}", "v", scratch, out);
      out += field.text();
      return true;
    case Type::kRawJson:
      if (field.text().empty() || field.text()[0] == '{' || field.text()[0] == '[') return false;
      out += field.text();
      return true;
    case Type::kTimestamp:
      out.append(text, WriteRfc3339(field.i64, text));
      return true;
  }
  return false;
}

}  // namespace

Result<Template> Template::Parse(std::string_view text, TemplateUse use) {
  const auto fault = [](std::string what) {
    return Fail(ErrorCode::kInvalidArgument, std::move(what));
  };
  Template t;
  t.source_ = text;
  t.use_ = use;
  if (text.empty()) return fault("must not be empty");
  if (text.size() > kMaxSource) return fault("is longer than " + std::to_string(kMaxSource));
  std::string literal;
  const auto literal_ends = [&] {
    if (literal.empty()) return;
    if (t.pieces_.empty())
      t.prefix_ = std::exchange(literal, {});
    else
      t.pieces_.push_back({Piece::Kind::kLiteral, std::exchange(literal, {}), INT64_MIN, {}});
  };
  bool literals_only = true;
  for (std::size_t i = 0; i < text.size();) {
    if (text.substr(i).starts_with("{{")) {
      const std::size_t end = text.find("}}", i);
      if (end == std::string_view::npos) return fault("has \"{{\" without \"}}\"");
      const std::string_view name = Trim(text.substr(i + 2, end - i - 2));
      if (name.empty() || name.find_first_of("{}\"' \t|") != std::string_view::npos)
        return fault("\"{{" + std::string(text.substr(i + 2, end - i - 2)) +
                     "}}\" must name one field");
      literal_ends();
      if (t.pieces_.empty() && t.prefix_.empty() && use != TemplateUse::kText)
        return fault("must start with literal text, so that data cannot choose any name");
      t.pieces_.push_back({Piece::Kind::kField, std::string(name), INT64_MIN, {}});
      t.has_fields_ = true;
      literals_only = false;
      i = end + 2;
    } else if (text[i] == '%' && i + 1 < text.size() && text[i + 1] == '%') {
      literal += '%';
      i += 2;
    } else if (text[i] == '%') {
      const std::string format(text.substr(i, 2));
      std::string rendered;
      if (!AppendStrftime(rendered, format, 0))
        return fault("\"" + format +
                     "\" is not a known time conversion (write %% for a percent "
                     "sign)");
      // "%e" has a blank, "%b" a capital letter, "%T" colons.
      if (!LiteralFault(use, rendered).empty())
        return fault("\"" + format + "\" gives characters that must not be in the name");
      literal_ends();
      if (!t.pieces_.empty() && t.pieces_.back().kind == Piece::Kind::kTime)
        t.pieces_.back().text += format;
      else
        t.pieces_.push_back({Piece::Kind::kTime, format, INT64_MIN, {}});
      literals_only = false;
      i += 2;
    } else {
      literal += text[i++];
    }
  }
  literal_ends();
  if (std::string why = LiteralFault(use, t.prefix_); !why.empty()) return fault(std::move(why));
  for (const Piece& p : t.pieces_)
    if (std::string why = p.kind == Piece::Kind::kLiteral ? LiteralFault(use, p.text) : "";
        !why.empty())
      return fault(std::move(why));
  if (use == TemplateUse::kIndex && !t.prefix_.empty() &&
      std::string_view("_-+.").find(t.prefix_[0]) != std::string_view::npos && t.prefix_[0] != '.')
    return fault("must not start with _, - or +");
  if (use == TemplateUse::kPath && t.has_fields_) {
    const std::size_t slash = t.prefix_.rfind('/');
    if (slash == std::string::npos || slash == 0)
      return fault("must start with a literal folder, so that data cannot choose any place");
  }
  if (use == TemplateUse::kPath && literals_only && t.prefix_.back() == '/')
    return fault("must name a file, not a folder");
  return t;
}

Template::Outcome Template::Render(const EventBatch& batch, const Event& event,
                                   std::string_view fallback, std::string& out) {
  Outcome outcome;
  const std::size_t start = out.size();
  out += prefix_;
  for (Piece& piece : pieces_) {
    switch (piece.kind) {
      case Piece::Kind::kLiteral:
        out += piece.text;
        break;
      case Piece::Kind::kTime: {
        const std::int64_t ns = event.time_ns != 0 ? event.time_ns : NowNs();
        const std::int64_t second = ns / 1'000'000'000 - (ns % 1'000'000'000 < 0 ? 1 : 0);
        if (second != piece.second) {
          piece.rendered.clear();
          // Parse() has tried the conversions.
          static_cast<void>(AppendStrftime(piece.rendered, piece.text, second));
          piece.second = second;
        }
        out += piece.rendered;
        break;
      }
      case Piece::Kind::kField: {
        const std::size_t at = out.size();
        bool ok = false;
        if (const Field* f = batch.Find(event, piece.text); f != nullptr) {
          ok = AppendValue(*f, {}, out);
        } else if (const std::size_t dot = piece.text.find('.'); dot != std::string::npos) {
          const std::string_view name = piece.text;
          if (const Field* parent = batch.Find(event, name.substr(0, dot)); parent != nullptr)
            ok = AppendValue(*parent, name.substr(dot + 1), out);
        }
        if (!ok || out.size() == at) {
          out.resize(at);
          out += fallback;
          outcome.missing = true;
        }
        Confine(out, at, outcome);
        break;
      }
    }
  }
  if (const std::size_t limit = MaxLength(use_); out.size() - start > limit) {
    out.resize(start + limit);
    outcome.changed = true;
  }
  return outcome;
}

void Template::Confine(std::string& out, std::size_t start, Outcome& outcome) const {
  if (use_ == TemplateUse::kText) return;
  if (use_ == TemplateUse::kPath) {
    if (out.size() - start > kMaxPathValue) {
      out.resize(start + kMaxPathValue);
      outcome.changed = true;
    }
    // No value starts with a dot: neither ".." nor a hidden file can come from data.
    if (out.size() > start && out[start] == '.') {
      out[start] = '_';
      outcome.changed = true;
    }
  }
  for (std::size_t i = start; i < out.size(); ++i) {
    char& c = out[i];
    if (Allowed(use_, static_cast<unsigned char>(c))) continue;
    if (use_ == TemplateUse::kIndex && c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');  // expected, not worth a count
    } else {
      c = '_';
      outcome.changed = true;
    }
  }
}

}  // namespace millrace::agent
