// Time per event of the encoders, of `_bulk` lines and of their compression.
//   ninja -C build/release bench_agent_encode && build/release/tests/bench_agent_encode
#include <memory>
#include <string>

#include <benchmark/benchmark.h>

#include "agent/compress/compressor.h"
#include "agent/encode/encoder.h"
#include "agent/sinks/elasticsearch/bulk_encoder.h"

namespace millrace::agent {
namespace {

constexpr std::int64_t kNoon = 1'763'812'800'000'000'000;
constexpr std::uint32_t kEvents = 300;

/// As the nginx transform makes them: 12 fields, two common ones.
std::unique_ptr<EventBatch> AccessLog() {
  auto b = std::make_unique<EventBatch>();
  b->AddCommon(Field::String("file", "/var/log/nginx/access.log"));
  b->AddCommon(Field::String("host", "web-17.example.net"));
  for (std::uint32_t i = 0; i < kEvents; ++i) {
    b->Begin(i * 232, kNoon + i * 1'000'000LL);
    b->Append(Field::String("client", "203.0.113.77"));
    b->Append(Field::String("user", "-"));
    b->Append(Field::String("request", "GET /api/v1/orders/48151623?expand=items HTTP/1.1"));
    b->Append(Field::String("method", "GET"));
    b->Append(Field::String("path", "/api/v1/orders/48151623"));
    b->Append(Field::String("query", "expand=items"));
    b->Append(Field::String("protocol", "HTTP/1.1"));
    b->Append(Field::Int("status", 200));
    b->Append(Field::Int("size", 5316 + i));
    b->Append(Field::String("referer", "https://shop.example.com/checkout/review"));
    b->Append(
        Field::String("agent",
                      "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
                      "Chrome/126.0.0.0 Safari/537.36"));
    b->Append(Field::Double("request_time", 0.013));
  }
  return b;
}

/// JSON lines of about 500 bytes that nobody took apart, with two fields added.
std::unique_ptr<EventBatch> Objects() {
  auto b = std::make_unique<EventBatch>();
  b->AddCommon(Field::String("host", "web-17.example.net"));
  for (std::uint32_t i = 0; i < kEvents; ++i) {
    std::string text =
        R"({"ts":"2026-11-22T12:00:00.123Z","level":"info","logger":"shop.orders","request_id":")";
    text += std::to_string(0x9E3779B97F4A7C15ULL * (i + 1));
    text +=
        R"(","user":{"id":)" + std::to_string(i * 7919) +
        R"(,"country":"DE"},"latency_ms":12.75,"msg":"order placed","items":[{"sku":"A-1","n":2},{"sku":"B-7","n":1}],"trace":")";
    text += std::string(250, 'a') + "\"}";
    const std::string_view object = b->arena.Copy(text);
    Event& e = b->Begin(i * 500, kNoon);
    e.object = object.data();
    e.object_len = static_cast<std::uint32_t>(object.size());
    const char* names[] = {"ts",         "level", "logger", "request_id", "user",
                           "latency_ms", "msg",   "items",  "trace"};
    for (const char* name : names) b->Append(Field::String(name, "x", Type::kJsonString));
    b->event(i).object_fields = 9;
    b->Append(Field::String("env", "prod"));
    b->Append(Field::String("region", "eu-1"));
  }
  return b;
}

void Encode(benchmark::State& state, const EventBatch& batch) {
  const auto encoder = MakeEncoder({});
  Buffer out;
  for (auto _ : state) {
    out.clear();
    encoder->Start(batch);
    for (const Event& e : batch.events()) {
      encoder->Append(e, out);
      out.Append('\n');
    }
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(out.size()));
}

void BM_AccessLog(benchmark::State& state) { Encode(state, *AccessLog()); }
void BM_Splice(benchmark::State& state) { Encode(state, *Objects()); }
BENCHMARK(BM_AccessLog);
BENCHMARK(BM_Splice);

struct Bulk {
  Bulk() : held(std::make_shared<Held>(BatchView(std::shared_ptr<EventBatch>(Objects())))) {}
  void Append(Buffer& out) {
    for (std::uint32_t i = 0; i < kEvents; ++i) encoder.Append({held.get(), &target, i}, out);
  }
  ElasticsearchConfig config;
  Target target{"logs-shop-2025.11.22", "create", std::chrono::milliseconds(1),
                std::chrono::milliseconds(1)};
  std::shared_ptr<Held> held;
  BulkEncoder encoder{config};
};

void BM_BulkLines(benchmark::State& state) {
  Bulk bulk;
  Buffer out;
  for (auto _ : state) {
    out.clear();
    bulk.Append(out);
    benchmark::DoNotOptimize(out.data());
  }
  state.SetItemsProcessed(state.iterations() * kEvents);
}
BENCHMARK(BM_BulkLines);

void BM_BulkGzip(benchmark::State& state) {
  Bulk bulk;
  Buffer plain, wire;
  for (int i = 0; i < 6; ++i) bulk.Append(plain);
  const auto compressor = MakeCompressor(Compression::kGzip);
  for (auto _ : state) {
    wire.clear();
    compressor->Compress(plain.view(), wire);
    benchmark::DoNotOptimize(wire.data());
  }
  state.SetItemsProcessed(state.iterations() * kEvents * 6);
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(plain.size()));
}
BENCHMARK(BM_BulkGzip);

}  // namespace
}  // namespace millrace::agent

BENCHMARK_MAIN();
