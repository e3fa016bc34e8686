#include "common/log/log.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <mutex>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "common/base/utf8.h"

namespace millrace::log {
namespace {

struct State {
  Level level = Level::kInfo;
  Format format = Format::kLogfmt;
  std::shared_ptr<spdlog::logger> logger;
};

State& Global() {
  static State state = [] {
    State s;
    s.logger = std::make_shared<spdlog::logger>("millrace",
                                                std::make_shared<spdlog::sinks::stderr_sink_mt>());
    s.logger->set_pattern("%v");
    s.logger->set_level(spdlog::level::trace);
    s.logger->flush_on(spdlog::level::trace);
    return s;
  }();
  return state;
}

constexpr std::array<std::string_view, 4> kLevelNames = {"debug", "info", "warn", "error"};

void AppendQuoted(std::string& out, std::string_view text) {
  static constexpr std::string_view kHex = "0123456789abcdef";
  out += '"';
  while (!text.empty()) {
    const std::size_t length = Utf8SequenceLength(text);
    const char c = text[0];
    const auto u = static_cast<unsigned char>(c);
    if (length != 1) {
      // Bytes of a peer may be anything; a log line is always UTF-8.
      out += length == 0 ? std::string_view("\xef\xbf\xbd") : text.substr(0, length);
      text.remove_prefix(std::max<std::size_t>(1, length));
      continue;
    }
    text.remove_prefix(1);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (u < 0x20 || u == 0x7f) {
          out += "\\u00";
          out += kHex[u >> 4];
          out += kHex[u & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

bool NeedsQuotes(std::string_view text) {
  if (text.empty()) return true;
  for (const char c : text) {
    const auto u = static_cast<unsigned char>(c);
    if (u <= 0x20 || u >= 0x7f || c == '"' || c == '=' || c == '\\') return true;
  }
  return false;
}

void AppendTime(std::string& out) {
  using namespace std::chrono;
  const auto now = system_clock::now();
  const auto ms = duration_cast<milliseconds>(now.time_since_epoch()).count() % 1000;
  const std::time_t seconds = system_clock::to_time_t(now);
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  std::array<char, 40> text{};
  const int n = std::snprintf(text.data(), text.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                              tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                              tm.tm_sec, static_cast<int>(ms));
  out.append(text.data(), static_cast<std::size_t>(n));
}

std::string_view BaseName(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

void AppendField(std::string& out, Format format, std::string_view key, std::string_view value,
                 bool bare) {
  if (format == Format::kJson) {
    out += ',';
    AppendQuoted(out, key);
    out += ':';
    if (bare) {
      out += value;
    } else {
      AppendQuoted(out, value);
    }
    return;
  }
  out += ' ';
  out += key;
  out += '=';
  if (!bare && NeedsQuotes(value)) {
    AppendQuoted(out, value);
  } else {
    out += value;
  }
}

std::string Shortest(double value) {
  std::array<char, 40> text{};
  const auto r = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), r.ptr};
}

}  // namespace

Field::Field(std::string_view k, double value) : key(k), text(Shortest(value)) {
  bare = value == value && value - value == 0;  // JSON has no NaN and no infinity
}

Field::Field(std::string_view k, std::chrono::nanoseconds value)
    : key(k), text(Shortest(std::chrono::duration<double>(value).count()) + "s") {}

void Configure(Level level, Format format) {
  Global().level = level;
  Global().format = format;
}

Result<Level> ParseLevel(std::string_view text) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i)
    if (kLevelNames[i] == text) return static_cast<Level>(i);
  return Fail(ErrorCode::kInvalidArgument,
              "log level must be debug, info, warn or error, not \"" + std::string(text) + "\"");
}

Result<Format> ParseFormat(std::string_view text) {
  if (text == "logfmt") return Format::kLogfmt;
  if (text == "json") return Format::kJson;
  return Fail(ErrorCode::kInvalidArgument,
              "log format must be logfmt or json, not \"" + std::string(text) + "\"");
}

bool Enabled(Level level) { return level >= Global().level; }

std::string Line(Level level, std::string_view message, Fields fields, Fields more, Where where) {
  const Format format = Global().format;
  const std::string_view level_name = kLevelNames[static_cast<std::size_t>(level)];
  std::string line = format == Format::kJson ? "{\"time\":\"" : "time=";
  AppendTime(line);
  if (format == Format::kJson) line += '"';
  AppendField(line, format, "level", level_name, false);
  AppendField(line, format, "source",
              std::string(BaseName(where.file)) + ":" + std::to_string(where.line), false);
  AppendField(line, format, "msg", message, false);
  for (const Field& f : fields) AppendField(line, format, f.key, f.text, f.bare);
  for (const Field& f : more) AppendField(line, format, f.key, f.text, f.bare);
  if (format == Format::kJson) line += '}';
  return line;
}

void WriteLine(std::string_view line) {
  Global().logger->log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
}

void Write(Level level, std::string_view message, Fields fields, Where where) {
  if (Enabled(level)) WriteLine(Line(level, message, fields, {}, where));
}

bool Limit::Pass() {
  static std::mutex mu;
  const std::lock_guard lock(mu);
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) {
    ++suppressed_;
    return false;
  }
  next_ = now + period_;
  last_suppressed_ = std::exchange(suppressed_, 0);
  return true;
}

}  // namespace millrace::log
