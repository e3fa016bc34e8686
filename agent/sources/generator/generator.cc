#include "agent/sources/generator/generator.h"

#include <array>
#include <condition_variable>
#include <ctime>
#include <mutex>

#include <fmt/format.h>

#include "agent/core/name.h"

template <>
struct millrace::config::EnumNames<millrace::agent::GeneratorFormat> {
  using enum millrace::agent::GeneratorFormat;
  static constexpr std::pair<millrace::agent::GeneratorFormat, std::string_view> kList[] = {
      {kNginx, "nginx"},   {kJson, "json"},   {kLogfmt, "logfmt"},
      {kSyslog, "syslog"}, {kMixed, "mixed"}, {kLines, "lines"}};
};

namespace millrace::agent {
namespace {

struct Route {
  std::string_view method, path;
  int base_ms;
};
constexpr std::array<Route, 10> kRoutes = {{{"GET", "/", 3},
                                            {"GET", "/api/orders", 24},
                                            {"GET", "/api/orders/{}", 11},
                                            {"POST", "/api/orders", 61},
                                            {"POST", "/api/login", 48},
                                            {"GET", "/api/messages?page={}", 19},
                                            {"PUT", "/api/cart/{}", 27},
                                            {"GET", "/static/app.{}.js", 1},
                                            {"GET", "/healthz", 1},
                                            {"DELETE", "/api/cart/{}", 14}}};
constexpr std::array<std::string_view, 5> kAgents = {
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 "
    "Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0",
    "curl/8.14.1", "okhttp/5.1.0"};
constexpr std::array<std::string_view, 6> kServices = {"orders", "login",  "cart",
                                                       "mailer", "search", "billing"};
constexpr std::array<std::string_view, 4> kErrors = {"connection to database timed out",
                                                     "upstream returned 502", "card was declined",
                                                     "message queue is full"};
constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

class GeneratorSource final : public Source {
 public:
  GeneratorSource(GeneratorConfig config, const Context& context)
      : config_(std::move(config)),
        metrics_(context.metrics),
        host_(context.host),
        lines_(config_.format, config_.seed, config_.lines) {}

  Status Run(std::stop_token stop, Output& out) override {
    const auto start = std::chrono::steady_clock::now();
    std::mutex mu;
    std::condition_variable_any wake;
    std::string text;
    for (std::uint64_t n = 0; config_.count == 0 || n < config_.count;) {
      if (stop.stop_requested()) return {};
      std::uint64_t until = n + 256;
      if (config_.rate > 0) {
        const double elapsed =
            std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        until = std::min(until, static_cast<std::uint64_t>(elapsed * config_.rate) + 1);
        if (until <= n) {
          std::unique_lock lock(mu);
          const auto due =
              start + std::chrono::duration_cast<std::chrono::nanoseconds>(
                          std::chrono::duration<double>(static_cast<double>(n) / config_.rate));
          wake.wait_until(lock, stop, due, [] { return false; });
          continue;
        }
      }
      if (config_.count != 0) until = std::min(until, config_.count);
      MILLRACE_TRY(out.Send(MakeBatch(n, until, text)));
      n = until;
    }
    return {};
  }

 private:
  std::unique_ptr<EventBatch> MakeBatch(std::uint64_t from, std::uint64_t until,
                                        std::string& text) {
    const std::int64_t now = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                 std::chrono::system_clock::now().time_since_epoch())
                                 .count();
    text.clear();
    std::array<std::size_t, 257> ends{};
    for (std::uint64_t n = from; n < until; ++n) {
      lines_.Append(n, now, text);
      ends[n - from + 1] = text.size();
    }
    auto batch = std::make_unique<EventBatch>();
    batch->stream = HashStream("generator:" + std::to_string(config_.seed));
    batch->Reserve(until - from, 1);
    Block block = Block::Make(text.size());
    std::memcpy(block.data.get(), text.data(), text.size());
    const char* base = block.data.get();
    batch->arena.Adopt(std::move(block));
    batch->bytes = text.size();
    batch->AddCommon(Field::String(names::kHost, batch->arena.Copy(host_)));
    batch->AddCommon(Field::String(names::kSourceType, "generator"));
    for (std::uint64_t n = from; n < until; ++n) {
      batch->Begin(n, now);
      const std::size_t begin = ends[n - from];
      batch->Append(Field::String(names::kMessage, {base + begin, ends[n - from + 1] - begin}));
    }
    metrics_->received_events.Add(static_cast<double>(until - from));
    metrics_->received_bytes.Add(static_cast<double>(batch->bytes));
    metrics_->sent_events.Add(static_cast<double>(until - from));
    return batch;
  }

  const GeneratorConfig config_;
  std::shared_ptr<Metrics> metrics_;
  const std::string host_;
  LineGenerator lines_;
};

}  // namespace

void Visit(config::Visitor& v, GeneratorConfig& c) {
  v.Field("format", c.format,
          "Kind of lines; mixed is nginx, json, logfmt and syslog in turn; lines repeats `lines`.");
  v.Field("lines", c.lines, "The lines of format `lines`, in turn.");
  v.Field("count", c.count, "Events to make, then the source ends; 0 = without end.");
  v.Field("rate", c.rate, "Events per second; 0 = as fast as they are taken.").Range(0, 1e9);
  v.Field("seed", c.seed, "Another seed gives other lines.");
  if (!v.describing() && c.format == GeneratorFormat::kLines && c.lines.empty())
    v.Complain("format", "format lines needs `lines`");
  if (!v.describing() && c.format != GeneratorFormat::kLines && !c.lines.empty())
    v.Complain("lines", "only format lines takes `lines`");
}

Result<std::unique_ptr<Source>> MakeGenerator(const GeneratorConfig& config,
                                              const Context& context) {
  return std::make_unique<GeneratorSource>(config, context);
}

LineGenerator::LineGenerator(GeneratorFormat format, std::uint64_t seed,
                             std::vector<std::string> lines)
    : format_(format), state_(seed * 0x9e3779b97f4a7c15ULL + 1), lines_(std::move(lines)) {}

std::uint64_t LineGenerator::Random() {
  // splitmix64: enough for test data, the same on every machine.
  std::uint64_t z = (state_ += 0x9e3779b97f4a7c15ULL);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
  return z ^ (z >> 31);
}

void LineGenerator::Append(std::uint64_t n, std::int64_t time_ns, std::string& out) {
  GeneratorFormat format = format_;
  if (format == GeneratorFormat::kMixed) format = static_cast<GeneratorFormat>(n % 4);
  switch (format) {
    case GeneratorFormat::kNginx:
      return AppendNginx(n, time_ns, out);
    case GeneratorFormat::kJson:
      return AppendJson(n, time_ns, out);
    case GeneratorFormat::kLogfmt:
      return AppendLogfmt(n, time_ns, out);
    case GeneratorFormat::kSyslog:
      return AppendSyslog(n, time_ns, out);
    case GeneratorFormat::kMixed:
    case GeneratorFormat::kLines:
      out += lines_[n % lines_.size()];
      return;
  }
}

void LineGenerator::AppendNginx(std::uint64_t n, std::int64_t time_ns, std::string& out) {
  const std::uint64_t r = Random();
  const Route& route = kRoutes[r % kRoutes.size()];
  const int status = r % 97 == 0 ? 502 : r % 31 == 0 ? 404 : r % 23 == 0 ? 401 : 200;
  const std::time_t seconds = time_ns / 1'000'000'000;
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  fmt::format_to(std::back_inserter(out),
                 "203.0.113.{} - - [{:02}/{}/{}:{:02}:{:02}:{:02} +0000] \"{} ", r / 7 % 254 + 1,
                 tm.tm_mday, kMonths[static_cast<std::size_t>(tm.tm_mon)], tm.tm_year + 1900,
                 tm.tm_hour, tm.tm_min, tm.tm_sec, route.method);
  fmt::format_to(std::back_inserter(out), fmt::runtime(route.path), r % 9973);
  fmt::format_to(std::back_inserter(out), "{}rid={:016x} HTTP/1.1\" {} {} \"-\" \"{}\"",
                 route.path.find('?') == std::string_view::npos ? '?' : '&', n, status,
                 r % 48000 + 120, kAgents[r / 11 % kAgents.size()]);
}

void LineGenerator::AppendJson(std::uint64_t n, std::int64_t time_ns, std::string& out) {
  const std::uint64_t r = Random();
  const Route& route = kRoutes[r % kRoutes.size()];
  const bool failed = r % 53 == 0;
  fmt::format_to(std::back_inserter(out),
                 "{{\"ts\":{}.{:03},\"level\":\"{}\",\"service\":\"{}\",\"request_id\":\"{:016x}\","
                 "\"method\":\"{}\",\"status\":{},\"latency_ms\":{}.{},"
                 "\"user\":{{\"id\":{},\"plan\":\"{}\"}},\"msg\":\"{}\"}}",
                 time_ns / 1'000'000'000, time_ns / 1'000'000 % 1000, failed ? "error" : "info",
                 kServices[r / 13 % kServices.size()], n, route.method, failed ? 500 : 200,
                 route.base_ms + static_cast<int>(r % 40), r % 10, r % 100000,
                 r % 3 == 0 ? "free" : "team",
                 failed ? kErrors[r / 53 % kErrors.size()] : "request done");
}

void LineGenerator::AppendLogfmt(std::uint64_t n, std::int64_t time_ns, std::string& out) {
  const std::uint64_t r = Random();
  const bool failed = r % 41 == 0;
  fmt::format_to(
      std::back_inserter(out),
      "time={}.{:03} level={} service={} request_id={:016x} msg=\"{}\" latency={}ms attempts={}",
      time_ns / 1'000'000'000, time_ns / 1'000'000 % 1000,
      failed        ? "error"
      : r % 11 == 0 ? "warn"
                    : "info",
      kServices[r / 13 % kServices.size()], n,
      failed ? kErrors[r / 41 % kErrors.size()] : "job finished", r % 900, r % 4 + 1);
}

void LineGenerator::AppendSyslog(std::uint64_t n, std::int64_t time_ns, std::string& out) {
  const std::uint64_t r = Random();
  const std::time_t seconds = time_ns / 1'000'000'000;
  std::tm tm{};
  ::gmtime_r(&seconds, &tm);
  fmt::format_to(
      std::back_inserter(out),
      "<{}>1 {:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:06}Z web-{} {} {} - [req id=\"{:016x}\"] {}",
      8 * 16 + (r % 29 == 0 ? 3 : 6), tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
      tm.tm_min, tm.tm_sec, time_ns / 1000 % 1'000'000, r % 5 + 1,
      kServices[r / 13 % kServices.size()], r % 30000 + 300, n,
      r % 29 == 0 ? kErrors[r / 29 % kErrors.size()] : "accepted");
}

}  // namespace millrace::agent
