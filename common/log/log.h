#pragma once
// Log lines of every binary: logfmt or JSON on standard error, one write a line.
//   log::Info("Configuration loaded", {{"file", path}, {"components", n}});
// A message is a capitalised sentence without variables; what varies stands in the fields. Levels
// by consequence: error = an operator must act; warn = worth a look, nothing lost; info = life
// cycle; debug = why. Nothing per event above debug.
#include <chrono>
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::log {

enum class Level : unsigned char { kDebug, kInfo, kWarn, kError };
enum class Format : unsigned char { kLogfmt, kJson };

/// One key=value of a line. Built on the call, never stored.
class Field {
 public:
  Field(std::string_view k, std::string_view value) : key(k), text(value) {}
  Field(std::string_view k, const char* value) : key(k), text(value) {}
  Field(std::string_view k, const std::string& value) : key(k), text(value) {}
  Field(std::string_view k, bool value) : key(k), text(value ? "true" : "false"), bare(true) {}
  template <std::integral T>
  Field(std::string_view k, T value) : key(k), text(std::to_string(value)), bare(true) {}
  Field(std::string_view k, double value);
  Field(std::string_view k, const millrace::Error& error) : key(k), text(error.message) {}
  /// Seconds with unit, such as 1.5s.
  Field(std::string_view k, std::chrono::nanoseconds value);

  std::string_view key;
  std::string text;
  bool bare = false;  ///< A number or a boolean: not quoted in JSON.
};
using Fields = std::initializer_list<Field>;

/// The line of source that logs. std::source_location, which clang 14 has not with libstdc++ 12.
struct Where {
  const char* file;
  int line;
  static constexpr Where Here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

/// Process wide; called once by main, before threads start.
void Configure(Level level, Format format);
/// "debug", "info", "warn", "error" / "logfmt", "json".
[[nodiscard]] Result<Level> ParseLevel(std::string_view text);
[[nodiscard]] Result<Format> ParseFormat(std::string_view text);
[[nodiscard]] bool Enabled(Level level);

/// The line that Write would write, without its end, whatever the configured level. For logs that
/// are kept as well as written; `more` are fields that every line of such a log has.
[[nodiscard]] std::string Line(Level level, std::string_view message, Fields fields,
                               Fields more = {}, Where where = Where::Here());
/// Writes a line made by Line(). Thread safe.
void WriteLine(std::string_view line);

/// Thread safe.
void Write(Level level, std::string_view message, Fields fields, Where where = Where::Here());

inline void Debug(std::string_view message, Fields fields = {}, Where where = Where::Here()) {
  if (Enabled(Level::kDebug)) Write(Level::kDebug, message, fields, where);
}
inline void Info(std::string_view message, Fields fields = {}, Where where = Where::Here()) {
  Write(Level::kInfo, message, fields, where);
}
inline void Warn(std::string_view message, Fields fields = {}, Where where = Where::Here()) {
  Write(Level::kWarn, message, fields, where);
}
inline void Error(std::string_view message, Fields fields = {}, Where where = Where::Here()) {
  Write(Level::kError, message, fields, where);
}

/// At most one line per period from one call site: `static log::Limit limit; if (limit.Pass())
/// ...`. Thread safe.
class Limit {
 public:
  explicit Limit(std::chrono::seconds period = std::chrono::seconds(10)) : period_(period) {}
  /// True when a line may be written; `suppressed()` then says how many were not since the last.
  [[nodiscard]] bool Pass();
  [[nodiscard]] std::uint64_t suppressed() const { return last_suppressed_; }

 private:
  std::chrono::seconds period_;
  std::chrono::steady_clock::time_point next_{};
  std::uint64_t suppressed_ = 0, last_suppressed_ = 0;
};

}  // namespace millrace::log
