#pragma once
// Events to bytes. A sink makes one encoder per thread, calls Start() for each batch and Append()
// for each of its events.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/event.h"
#include "common/base/buffer.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class Codec : std::uint8_t { kJson, kText, kRawMessage, kLogfmt };
enum class TimestampFormat : std::uint8_t { kRfc3339, kUnix, kUnixMs, kUnixNs };

/// The `encoding:` of a sink.
struct EncodingConfig {
  Codec codec = Codec::kJson;
  std::vector<std::string> only_fields, except_fields;
  TimestampFormat timestamp_format = TimestampFormat::kRfc3339;
};
void Visit(config::Visitor& v, EncodingConfig& c);

/// Not thread safe.
class Encoder {
 public:
  virtual ~Encoder() = default;
  /// Must precede the first Append() of each batch. The batch must live until the last one.
  virtual void Start(const EventBatch& batch) = 0;
  /// Appends one event of the batch. Never a line feed (but for raw_message, which copies what the
  /// message has), so the caller may frame by lines.
  virtual void Append(const Event& event, Buffer& out) = 0;
};

[[nodiscard]] std::unique_ptr<Encoder> MakeEncoder(const EncodingConfig& config);

/// A JSON object per event, with a field for the event's time under `timestamp_name` unless the
/// event has a field of that name. What MakeEncoder() gives for `json`, with another name.
[[nodiscard]] std::unique_ptr<Encoder> MakeJsonEncoder(const EncodingConfig& config,
                                                       std::string_view timestamp_name);

/// The value of a field as plain text: strings unescaped, numbers, times as RFC 3339, raw JSON as
/// it is; nothing for null.
void AppendPlain(Buffer& out, const Field& field);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::Codec> {
  using enum millrace::agent::Codec;
  static constexpr std::pair<millrace::agent::Codec, std::string_view> kList[] = {
      {kJson, "json"}, {kText, "text"}, {kRawMessage, "raw_message"}, {kLogfmt, "logfmt"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::TimestampFormat> {
  using enum millrace::agent::TimestampFormat;
  static constexpr std::pair<millrace::agent::TimestampFormat, std::string_view> kList[] = {
      {kRfc3339, "rfc3339"}, {kUnix, "unix"}, {kUnixMs, "unix_ms"}, {kUnixNs, "unix_ns"}};
};
