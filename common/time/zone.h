#pragma once
// Time zones of the system's database (tzdata, RFC 8536), without libc's global state.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::time {

/// Immutable, thread safe.
class Zone {
 public:
  /// "UTC", "local" (/etc/localtime), "+02:00", "Europe/Berlin". kNotFound when the database does
  /// not have it, kInvalidArgument when the text cannot be a zone. `directory` is for tests.
  [[nodiscard]] static Result<std::shared_ptr<const Zone>> Load(
      std::string_view name, std::string_view directory = "/usr/share/zoneinfo");
  /// From the content of a TZif file.
  [[nodiscard]] static Result<std::shared_ptr<const Zone>> FromTzif(std::string_view content);

  /// Seconds east of UTC at a moment.
  [[nodiscard]] int OffsetAt(std::int64_t unix_seconds) const;
  /// The moment at which clocks there show `local_seconds` (a civil time counted as if it were
  /// UTC). Of a time that occurs twice the first; of one that a change skips, as if the clock had
  /// not been put forward.
  [[nodiscard]] std::int64_t ToUnix(std::int64_t local_seconds) const;

 private:
  /// "M3.5.0/2": the second of a year at which a change happens, local time.
  struct Rule {
    int month = 1, week = 1, weekday = 0, second = 7200;
    [[nodiscard]] std::int64_t LocalSecond(std::int64_t year) const;
  };
  struct Tail {
    int standard = 0, daylight = 0;
    bool changes = false;
    Rule to_daylight, to_standard;
  };
  static std::optional<Tail> ParseTail(std::string_view text);
  [[nodiscard]] int TailOffset(std::int64_t unix_seconds) const;

  std::vector<std::int64_t> moments_;  ///< Of changes, ascending.
  std::vector<int> offsets_;           ///< From each of them on.
  int first_ = 0;                      ///< Before the first one.
  std::optional<Tail> tail_;           ///< After the last one.
};

}  // namespace millrace::time
