// Whatever bytes fields have, the encoder's output is one line of valid JSON that reads back.
#include <cstdlib>

#include <simdjson.h>

#include "agent/encode/encoder.h"
#include "agent/encode/escape.h"

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace millrace::agent;
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  EventBatch batch;
  batch.AddCommon(Field::String("c", in.substr(size / 3)));
  batch.Begin(0, static_cast<std::int64_t>(size) * 1'000'003'000'000'007);
  batch.Append(Field::String(in.substr(0, std::min<std::size_t>(size / 2, 1000)), in));
  batch.Append(Field::Double("d", static_cast<double>(size) / 7));
  simdjson::dom::parser parser;
  millrace::Buffer out;
  const auto encoder = MakeEncoder({});
  encoder->Start(batch);
  encoder->Append(batch.event(0), out);
  if (out.view().find('\n') != std::string_view::npos) std::abort();
  simdjson::dom::element e;
  if (parser.parse(out.data(), out.size()).get(e) != simdjson::SUCCESS) std::abort();

  // Strings that are UTF-8 survive unchanged, both through our own unescaping and through
  // simdjson's.
  millrace::Buffer escaped, plain, repaired;
  AppendEscaped(escaped, in);
  AppendUtf8(repaired, in);
  AppendUnescaped(plain, escaped.view());
  if (plain.view() != repaired.view()) std::abort();
  std::string object = "{\"v\":\"" + std::string(escaped.view()) + "\"}";
  std::string_view back;
  if (parser.parse(object)["v"].get_string().get(back) != simdjson::SUCCESS ||
      back != repaired.view())
    std::abort();

  // The other codecs only must not crash, and unescaping takes anything.
  millrace::Buffer any;
  AppendUnescaped(any, in);
  EncodingConfig config;
  config.codec = Codec::kLogfmt;
  const auto logfmt = MakeEncoder(config);
  logfmt->Start(batch);
  logfmt->Append(batch.event(0), any);
  return 0;
}
