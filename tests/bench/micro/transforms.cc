// Time and allocations per event of transforms and conditions.
//   build/release/tests/bench_agent_transforms
// Lines come from the generator source, or from access.log and app.jsonl in $MILLRACE_BENCH_DATA.
#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "agent/core/registry.h"
#include "agent/encode/encoder.h"
#include "agent/route/expression.h"
#include "agent/sources/generator/generator.h"
#include "common/config/visitor.h"

namespace {
std::size_t g_allocations = 0;
}

// Not inlined: g++ takes malloc and free of one expression for a mismatch.
[[gnu::noinline]] void* operator new(std::size_t n) {
  ++g_allocations;
  if (void* p = std::malloc(n)) return p;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* p) noexcept { std::free(p); }
[[gnu::noinline]] void operator delete(void* p, std::size_t) noexcept { std::free(p); }

namespace millrace::agent {
namespace {

constexpr std::size_t kBatchBytes = 64 * 1024;

std::vector<std::string> Load(const char* file, GeneratorFormat format) {
  std::vector<std::string> lines;
  if (const char* dir = std::getenv("MILLRACE_BENCH_DATA")) {
    std::ifstream in(std::string(dir) + "/" + file);
    for (std::string line; lines.size() < 20'000 && std::getline(in, line);) lines.push_back(line);
  }
  LineGenerator generator(format, 1);
  for (std::uint64_t n = 0; lines.size() < 1000; ++n)
    generator.Append(n, 1'700'000'000'000'000'000, lines.emplace_back());
  return lines;
}

/// Lines as a source delivers them: slices of one block.
struct Corpus {
  explicit Corpus(const std::vector<std::string>& lines) : block(Block::Make(kBatchBytes)) {
    std::size_t used = 0;
    for (const std::string& line : lines) {
      if (used + line.size() + 1 > kBatchBytes) break;
      std::memcpy(block.data.get() + used, line.data(), line.size());
      slices.emplace_back(block.data.get() + used, line.size());
      used += line.size() + 1;
    }
  }
  std::unique_ptr<EventBatch> Batch() const {
    auto batch = std::make_unique<EventBatch>();
    batch->arena.Adopt(block);
    batch->AddCommon(Field::String("file", "/var/log/app.log"));
    batch->Reserve(slices.size(), 12);
    for (const std::string_view s : slices) {
      batch->Begin(0, 1);
      batch->Append(Field::String("message", s));
    }
    return batch;
  }
  Block block;
  std::vector<std::string_view> slices;
};

const Corpus& AccessLines() {
  static const Corpus corpus(Load("access.log", GeneratorFormat::kNginx));
  return corpus;
}
const Corpus& JsonLines() {
  static const Corpus corpus(Load("app.jsonl", GeneratorFormat::kJson));
  return corpus;
}
const Corpus& LogfmtLines() {
  static const Corpus corpus(Load("app.logfmt", GeneratorFormat::kLogfmt));
  return corpus;
}
const Corpus& SyslogLines() {
  static const Corpus corpus(Load("app.syslog", GeneratorFormat::kSyslog));
  return corpus;
}

MetricsRegistry& Registry() {
  static MetricsRegistry registry;
  return registry;
}

std::unique_ptr<Transform> Make(const std::string& yaml) {
  config::Problems problems;
  const YAML::Node node = config::Parse(yaml, "bench", problems);
  const auto type = node["type"].as<std::string>();
  for (const Entry<Transform>& entry : Transforms()) {
    if (entry.type != type) continue;
    config::Visitor visitor(node, "bench", "", problems);
    visitor.Ignore("type");
    Context context;
    context.metrics = std::make_shared<Metrics>(Registry(), "bench", "transform", type);
    auto made = entry.read(visitor)->Make(context);
    if (made) return std::move(*made);
  }
  std::abort();
}

/// Making the batch (one field an event) is part of every figure; bare() says how much it is.
void Run(benchmark::State& state, const Corpus& corpus, const std::vector<std::string>& steps,
         bool encode = false) {
  std::vector<std::unique_ptr<Transform>> transforms;
  for (const std::string& yaml : steps) transforms.push_back(Make(yaml));
  auto encoder = MakeEncoder({});
  Buffer out;
  std::size_t events = 0;
  std::size_t before = 0;
  for (auto _ : state) {
    if (events == 0) before = g_allocations;
    auto batch = corpus.Batch();
    for (auto& t : transforms) t->Apply(*batch);
    if (encode) {
      out.clear();
      encoder->Start(*batch);
      for (const Event& e : batch->events()) encoder->Append(e, out);
    }
    benchmark::DoNotOptimize(batch);
    events += batch->size();
  }
  state.counters["ns/event"] = benchmark::Counter(
      static_cast<double>(events) / 1e9, benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["allocs/event"] =
      static_cast<double>(g_allocations - before) / static_cast<double>(events);
  state.counters["bytes/event"] =
      static_cast<double>(kBatchBytes) / static_cast<double>(corpus.slices.size());
}

void Bare(benchmark::State& s) { Run(s, JsonLines(), {}); }
void Json(benchmark::State& s) { Run(s, JsonLines(), {"type: json"}); }
void JsonAddTwoEncode(benchmark::State& s) {
  Run(s, JsonLines(), {"type: json", "{type: add_fields, fields: {env: prod, dc: lab1}}"}, true);
}
void Nginx(benchmark::State& s) { Run(s, AccessLines(), {"type: nginx"}); }
void NginxEncode(benchmark::State& s) { Run(s, AccessLines(), {"type: nginx"}, true); }
void NginxFilter(benchmark::State& s) {
  Run(s, AccessLines(),
      {"type: nginx",
       "{type: filter, condition: '.status >= 500 && .request.contains(\"/api\")'}"});
}
void Logfmt(benchmark::State& s) { Run(s, LogfmtLines(), {"type: logfmt"}); }
void Syslog(benchmark::State& s) { Run(s, SyslogLines(), {"type: syslog"}); }
void Regex(benchmark::State& s) {
  Run(s, AccessLines(), {R"x(
type: regex
patterns: ['^(?P<client>\S+) \S+ (?P<user>\S+) \[(?P<time>[^\]]+)\] "(?P<request>[^"]*)" (?P<status>\d+) (?P<size>\d+)']
types: {status: int, size: int}
)x"});
}
void Grok(benchmark::State& s) {
  Run(s, AccessLines(), {"{type: grok, patterns: ['%{COMBINEDAPACHELOG}']}"});
}
void GrokTypedEncode(benchmark::State& s) {
  Run(s, AccessLines(),
      {"{type: grok, patterns: ['^%{IPORHOST:client} \\S+ %{HTTPDUSER:user} "
       "\\[%{HTTPDATE:time}\\] "
       "\"%{WORD:verb} %{NOTSPACE:request} HTTP/%{NUMBER:version}\" %{INT:status:int} "
       "%{INT:size:int} "
       "%{QS:referrer} %{QS:agent}']}"},
      true);
}
void GrokMiss(benchmark::State& s) {
  Run(s, JsonLines(), {"{type: grok, patterns: ['%{COMBINEDAPACHELOG}'], error_field: ''}"});
}
void Multiline(benchmark::State& s) {
  Run(s, AccessLines(), {"{type: multiline, continuation_pattern: '^\\s'}"});
}
void JsonRoute(benchmark::State& s) {
  Run(s, JsonLines(),
      {"type: json",
       "{type: route, route: {errors: '.level == \"error\"', slow: '.http.duration_ms > 400'}}"});
}

BENCHMARK(Bare);
BENCHMARK(Json);
BENCHMARK(JsonAddTwoEncode);
BENCHMARK(Nginx);
BENCHMARK(NginxEncode);
BENCHMARK(NginxFilter);
BENCHMARK(JsonRoute);
BENCHMARK(Logfmt);
BENCHMARK(Syslog);
BENCHMARK(Regex);
BENCHMARK(Grok);
BENCHMARK(GrokTypedEncode);
BENCHMARK(GrokMiss);
BENCHMARK(Multiline);

}  // namespace
}  // namespace millrace::agent

BENCHMARK_MAIN();
