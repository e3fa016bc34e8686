#include "exporters/uptime_probe/probers/dialogue.h"

#include <array>
#include <optional>

#include "common/base/strings.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {
namespace {

constexpr std::string_view kByRegex = "probe_failed_due_to_regex";
constexpr std::string_view kByBytes = "probe_failed_due_to_bytes";

/// Lines of a stream. What was read behind a line stays here; raw reads go past it, as the
/// original's do.
class Lines {
 public:
  /// Nothing at the end of the stream. A last line may lack its end.
  Result<std::optional<std::string>> Next(Stream& stream) {
    constexpr std::size_t kLongest = std::size_t{64} << 10;
    for (;;) {
      const auto end = buffer_.find('\n');
      if (end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return std::optional<std::string>(std::move(line));
      }
      if (buffer_.size() >= kLongest) return Fail(ErrorCode::kResourceExhausted, "line too long");
      if (ended_) {
        if (buffer_.empty()) return std::optional<std::string>();
        std::string line = std::exchange(buffer_, {});
        if (line.ends_with('\r')) line.pop_back();
        return std::optional<std::string>(std::move(line));
      }
      std::array<char, 4096> chunk{};
      MILLRACE_ASSIGN(const std::size_t n, stream.Read(chunk.data(), chunk.size()));
      ended_ = n == 0;
      buffer_.append(chunk.data(), n);
    }
  }

 private:
  std::string buffer_;
  bool ended_ = false;
};

class Dialogue {
 public:
  Dialogue(ProbeContext& context, std::unique_ptr<Stream> stream, const DialogueOptions& options)
      : context_(context), stream_(std::move(stream)), options_(options) {}

  bool Run() {
    MetricSet& m = context_.metrics;
    m.Declare(kByRegex, "Indicates if probe failed due to regex");
    m.Declare(kByBytes, "Indicates if probe failed due to bytes");
    if (options_.tls != nullptr) AddTlsMetrics(m, *options_.tls, {});
    std::size_t number = 0;
    for (const QueryResponse& step : *options_.steps) {
      context_.log.Debug("Processing query response entry", {{"entry_number", number++}});
      std::string send = step.send;
      if (step.expect && !Expect(step, send)) return false;
      if (!step.expect_bytes.empty() && !ExpectBytes(step.expect_bytes)) return false;
      if (!send.empty() && !Send(send)) return false;
      if (step.starttls && !StartTls()) return false;
    }
    return true;
  }

 private:
  bool Expect(const QueryResponse& step, std::string& send) {
    for (;;) {
      auto line = lines_.Next(*stream_);
      if (!line) return context_.FailWith("read", "Error reading from connection", line.error());
      if (!line->has_value()) {
        context_.metrics.Set(kByRegex, 1);
        return context_.FailWith("body", "Regexp did not match",
                                 {{"regexp", step.expect.pattern()}});
      }
      context_.log.Debug("Read line", {{"line", **line}});
      const auto groups = step.expect.Find(**line);
      if (groups.empty()) continue;
      context_.log.Debug("Regexp matched", {{"regexp", step.expect.pattern()}, {"line", **line}});
      context_.metrics.Set(kByRegex, 0);
      send = step.expect.Expand(send, groups);
      if (!step.labels.empty()) AddLabels(step, groups);
      return true;
    }
  }

  void AddLabels(const QueryResponse& step, const std::vector<std::string_view>& groups) {
    std::vector<std::string> values;
    values.reserve(step.labels.size());
    for (const Label& l : step.labels) values.push_back(step.expect.Expand(l.value, groups));
    std::vector<MetricSet::LabelPair> labels;
    for (std::size_t i = 0; i < values.size(); ++i)
      labels.emplace_back(step.labels[i].name, values[i]);
    context_.metrics.DeclareVector("probe_expect_info", "Explicit content matched");
    context_.metrics.Set("probe_expect_info", labels, 1);
  }

  bool ExpectBytes(const std::string& expected) {
    // The original compares what its first read returns; bytes that come in two segments are
    // waited for here.
    std::string got;
    while (got.size() < expected.size()) {
      std::array<char, 4096> chunk{};
      auto n = stream_->Read(chunk.data(), std::min(chunk.size(), expected.size() - got.size()));
      if (!n) return context_.FailWith("read", "Error reading from connection", n.error());
      if (*n == 0) {
        if (got.empty())
          return context_.FailWith("read", "Error reading from connection", {{"err", "EOF"}});
        return context_.FailWith("body", "Read less data than expected",
                                 {{"expected", Printable(expected)}, {"bytes", Printable(got)}});
      }
      got.append(chunk.data(), *n);
      if (!std::string_view(expected).starts_with(got)) break;
    }
    if (got != expected) {
      if (got.size() == expected.size()) context_.metrics.Set(kByBytes, 1);
      return context_.FailWith("body", "Bytes did not match",
                               {{"expected", Printable(expected)}, {"bytes", Printable(got)}});
    }
    context_.metrics.Set(kByBytes, 0);
    return true;
  }

  bool Send(const std::string& line) {
    context_.log.Debug("Sending line", {{"line", line}});
    auto sent = stream_->Write(line + "\n");
    return sent || context_.FailWith("write", "Failed to send", sent.error());
  }

  bool StartTls() {
    auto made = TlsContext::Get(*options_.tls_config);
    if (!made)
      return context_.FailWith("config", "Failed to create TLS configuration", made.error());
    TlsInfo info;
    const std::string& name = options_.tls_config->server_name.empty()
                                  ? options_.server_name
                                  : options_.tls_config->server_name;
    auto upgraded = TlsStream::Connect(std::move(stream_), **made, name, {}, info);
    AddMoreTlsMetrics(context_, info);
    if (!upgraded) {
      context_.reason = info.verify_failure;
      return context_.FailWith("tls", "TLS Handshake (client) failed", upgraded.error());
    }
    context_.log.Debug("TLS Handshake (client) succeeded");
    stream_ = std::move(*upgraded);
    lines_ = {};
    AddTlsMetrics(context_.metrics, info, {});
    return true;
  }

  ProbeContext& context_;
  std::unique_ptr<Stream> stream_;
  const DialogueOptions& options_;
  Lines lines_;
};

}  // namespace

bool RunDialogue(ProbeContext& context, std::unique_ptr<Stream> stream,
                 const DialogueOptions& options) {
  return Dialogue(context, std::move(stream), options).Run();
}

}  // namespace millrace::uptime_probe
