#pragma once
// Options of source `file`. Names follow Vector's where the idea is the same.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class ReadFrom : unsigned char { kBeginning, kEnd };
enum class WatchMode : unsigned char { kAuto, kInotify, kPoll };
enum class LongLines : unsigned char { kTruncate, kDrop };

struct FingerprintConfig {
  std::uint32_t bytes = 1024;
};
void Visit(config::Visitor& v, FingerprintConfig& c);

struct FileEncodingConfig {
  std::string charset = "utf-8";
};
void Visit(config::Visitor& v, FileEncodingConfig& c);

struct FileConfig {
  std::vector<std::string> include, exclude;
  ReadFrom read_from = ReadFrom::kBeginning;
  WatchMode watch = WatchMode::kAuto;
  std::string line_delimiter = "\n";
  config::Bytes max_line_bytes{102'400};
  LongLines long_lines = LongLines::kTruncate;
  config::Bytes max_read_bytes{256 * 1024};
  bool oldest_first = false;
  std::chrono::milliseconds ignore_older{0}, remove_after{-1};
  std::chrono::milliseconds rotate_wait{30'000}, partial_line_timeout{0};
  std::chrono::milliseconds rescan_interval{60'000};
  std::uint32_t glob_minimum_cooldown_ms = 1000;
  std::uint32_t max_open_files = 256;
  config::Bytes max_deleted_bytes{0};
  std::string file_key = "file", host_key = "host", offset_key;
  FingerprintConfig fingerprint;
  FileEncodingConfig encoding;
};
void Visit(config::Visitor& v, FileConfig& c);
[[nodiscard]] Result<std::unique_ptr<Source>> MakeFileSource(const FileConfig& config,
                                                             const Context& context);

}  // namespace millrace::agent

template <>
struct millrace::config::EnumNames<millrace::agent::ReadFrom> {
  static constexpr std::pair<agent::ReadFrom, std::string_view> kList[] = {
      {agent::ReadFrom::kBeginning, "beginning"}, {agent::ReadFrom::kEnd, "end"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::WatchMode> {
  static constexpr std::pair<agent::WatchMode, std::string_view> kList[] = {
      {agent::WatchMode::kAuto, "auto"},
      {agent::WatchMode::kInotify, "inotify"},
      {agent::WatchMode::kPoll, "poll"}};
};
template <>
struct millrace::config::EnumNames<millrace::agent::LongLines> {
  static constexpr std::pair<agent::LongLines, std::string_view> kList[] = {
      {agent::LongLines::kTruncate, "truncate"}, {agent::LongLines::kDrop, "drop"}};
};
