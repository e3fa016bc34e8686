#pragma once
// Lines of access logs as requests, through the decoders of the agent.
#include <memory>
#include <string>
#include <string_view>

#include "agent/decode/decoder.h"
#include "common/base/result.h"
#include "millrace/app_metrics/request.h"

namespace millrace::app_metrics::sidecar {

/// Formats: nginx_combined, nginx_main, nginx_ingress, apache_combined, json (nginx's escape=json,
/// or anything with the same keys) and caddy. One thread.
class LogLineReader {
 public:
  [[nodiscard]] static Result<LogLineReader> Make(std::string_view format);
  /// False when the line does not follow the format. The views of `out` hold until the next call.
  bool Read(std::string_view line, FinishedRequest& out);
  /// The names of Make.
  [[nodiscard]] static std::vector<std::string> Formats();

 private:
  struct Keys;
  LogLineReader(std::unique_ptr<agent::Decoder> decoder, bool caddy)
      : decoder_(std::move(decoder)), caddy_(caddy) {}
  void Take(std::string_view name, const agent::Value& value, FinishedRequest& out);
  void TakeCaddyRequest(std::string_view object, FinishedRequest& out);
  std::string_view Plain(const agent::Value& value);
  static void TakeRequestLine(std::string_view line, FinishedRequest& out);
  static void TakeTarget(std::string_view target, FinishedRequest& out);

  std::unique_ptr<agent::Decoder> decoder_;
  bool caddy_;
  std::string padded_;
  agent::Arena arena_;
  agent::Decoded decoded_;
};

}  // namespace millrace::app_metrics::sidecar
