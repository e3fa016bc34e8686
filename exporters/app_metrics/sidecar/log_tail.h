#pragma once
// Follows access logs and counts their lines.
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "exporters/app_metrics/sidecar/log_line.h"
#include "millrace/app_metrics/app_metrics.h"

namespace millrace::app_metrics::sidecar {

struct TailStats {
  std::atomic<std::uint64_t> lines{0}, unparsed{0}, too_long{0}, rotations{0};
};

/// One thread for all files. A file that is not there yet is waited for; a file that was renamed or
/// truncated is read to its end and then opened anew. Metrics are counted since the start, so the
/// position is not remembered across restarts: a line is counted by the process that saw it come.
class LogTail {
 public:
  /// "-" is standard input.
  [[nodiscard]] static Result<std::unique_ptr<LogTail>> Start(std::vector<std::string> files,
                                                              const std::string& format,
                                                              bool from_beginning,
                                                              AppMetrics& metrics);
  ~LogTail();
  [[nodiscard]] const TailStats& stats() const { return stats_; }

 private:
  struct File {
    std::string path, partial;
    Fd fd;
    std::uint64_t inode = 0, device = 0;
    std::int64_t offset = 0;
    bool skipping = false;  ///< In the middle of a line that is too long.
    bool ended = false;     ///< Standard input is over.
  };
  LogTail(LogLineReader reader, AppMetrics& metrics)
      : reader_(std::move(reader)), metrics_(metrics) {}
  void Run();
  void OpenFile(File& file, bool at_end);
  bool ReadSome(File& file);
  void FollowRotation(File& file);
  void TakeBytes(File& file, std::string_view bytes);
  void TakeLine(std::string_view line);

  LogLineReader reader_;
  AppMetrics& metrics_;
  std::vector<File> files_;
  bool from_beginning_ = false;
  TailStats stats_;
  std::atomic<bool> stop_{false};
  std::thread thread_;
};

}  // namespace millrace::app_metrics::sidecar
