#include <algorithm>
#include <array>
#include <charconv>

#include "exporters/app_metrics/src/impl.h"
#include "exporters/app_metrics/src/text.h"

namespace millrace::app_metrics {
namespace {

// Limits of the escaped text, so that one line always fits into its buffer.
constexpr std::size_t kPathLimit = 2048, kTextLimit = 1024;

// "35.12ms": microseconds are what a log reader still looks at.
std::string_view Milliseconds(std::uint64_t nanoseconds, std::array<char, 32>& out) {
  const std::uint64_t us = nanoseconds / 1000;
  char* p = std::to_chars(out.data(), out.data() + 24, us / 1000).ptr;
  const std::uint64_t rest = us % 1000;
  *p++ = '.';
  *p++ = static_cast<char>('0' + rest / 100);
  *p++ = static_cast<char>('0' + rest / 10 % 10);
  *p++ = static_cast<char>('0' + rest % 10);
  return {out.data(), static_cast<std::size_t>(p - out.data())};
}

class Writer {
 public:
  Writer(LineBuffer& line, bool json) : line_(line), json_(json) {}
  void Text(std::string_view key, std::string_view value, std::size_t limit = kTextLimit) {
    Key(key);
    if (!json_) return line_.PutLogfmtValue(value, limit);
    line_.Put('"');
    line_.PutEscaped(value, limit);
    line_.Put('"');
  }
  void Bare(std::string_view key, std::string_view value) {
    Key(key);
    line_.Put(value);
  }
  void Unsigned(std::string_view key, std::uint64_t value) {
    Key(key);
    line_.PutUnsigned(value);
  }
  void Start() {
    if (json_) line_.Put('{');
  }
  void End() {
    if (json_) line_.Put('}');
  }

 private:
  void Key(std::string_view key) {
    if (!first_) line_.Put(json_ ? ',' : ' ');
    first_ = false;
    if (json_) line_.Put('"');
    line_.Put(key);
    if (json_) line_.Put('"');
    line_.Put(json_ ? ':' : '=');
  }
  LineBuffer& line_;
  bool json_, first_ = true;
};

}  // namespace

void AccessLine::Write(AppMetrics::Impl& impl, const Request& r, int status,
                       std::uint64_t nanoseconds, std::uint64_t bytes_in, std::uint64_t bytes_out,
                       std::int64_t unix_ms) {
  const AccessLogOptions& o = impl.options.access_log;
  const bool slow =
      o.slow.count() > 0 && nanoseconds >= static_cast<std::uint64_t>(o.slow.count()) * 1'000'000;
  const bool error = status >= 500 || r.error_size_ > 0;
  const bool json = o.format == LogFormat::kJson;
  thread_local LineBuffer line;
  line.Clear();
  Writer w(line, json);
  std::array<char, 24> time{};
  WriteTime(time.data(), unix_ms);
  std::array<char, 32> number{};
  w.Start();
  if (json)
    w.Text("time", {time.data(), time.size()});
  else
    w.Bare("time", {time.data(), time.size()});
  w.Text("level", error ? "error" : slow ? "warn" : "info");
  w.Text("request_id", r.context_.request_id());
  w.Text("method", r.method());
  w.Text("path", {r.target_.data(), r.target_size_}, kPathLimit);
  w.Text("route", r.route());
  w.Unsigned("status", static_cast<std::uint64_t>(std::max(0, status)));
  const std::string_view ms = Milliseconds(nanoseconds, number);
  if (json) {
    w.Bare("latency_ms", ms);
  } else {
    w.Bare("latency", ms);
    line.Put("ms");
  }
  if (r.user_size_ > 0) w.Text("user_id", {r.user_.data(), r.user_size_});
  w.Text("ip", r.client_ip());
  w.Unsigned("bytes", bytes_out);
  if (bytes_in > 0) w.Unsigned("bytes_in", bytes_in);
  w.Text("trace_id", r.context_.trace_id());
  if (slow) w.Bare("slow", "true");
  if (r.error_size_ > 0) w.Text("error", {r.error_.data(), r.error_size_});
  w.End();
  impl.log->Put(line.view());
}

}  // namespace millrace::app_metrics
