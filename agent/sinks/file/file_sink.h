#pragma once
// Writes events to files whose path may depend on fields and time.
#include <memory>
#include <string>

#include "agent/compress/compressor.h"
#include "agent/core/component.h"
#include "agent/encode/encoder.h"
#include "common/config/visitor.h"

namespace millrace::agent {

struct FileSinkConfig {
  /// When an event counts as delivered.
  enum class Fsync : std::uint8_t { kNever, kInterval, kBatch };
  struct Rotate {
    config::Bytes max_bytes{0};
    config::Duration interval{};
    unsigned keep = 0;
  };
  std::string path, fallback = "unknown";
  EncodingConfig encoding;
  Compression compression = Compression::kNone;
  int compression_level = 0;
  Rotate rotate;
  std::chrono::milliseconds idle_timeout{30'000};
  Fsync fsync = Fsync::kNever;
  config::Duration fsync_interval{std::chrono::seconds(1)};
  unsigned max_open_files = 128;
  std::string mode = "0644";
};
void Visit(config::Visitor& v, FileSinkConfig::Rotate& c);
void Visit(config::Visitor& v, FileSinkConfig& c);
[[nodiscard]] Result<std::unique_ptr<Sink>> MakeFileSink(const FileSinkConfig& config,
                                                         const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::FileSinkConfig::Fsync> {
  using enum millrace::agent::FileSinkConfig::Fsync;
  static constexpr std::pair<millrace::agent::FileSinkConfig::Fsync, std::string_view> kList[] = {
      {kNever, "never"}, {kInterval, "interval"}, {kBatch, "batch"}};
};
