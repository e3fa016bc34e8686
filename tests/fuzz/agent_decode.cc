// Every decoder on any bytes: the first byte chooses it.
#include <cstdint>
#include <cstdlib>
#include <memory>

#include "agent/core/json_text.h"
#include "agent/decode/access_log.h"
#include "agent/decode/csv.h"
#include "agent/decode/error_log.h"
#include "agent/decode/json.h"
#include "agent/decode/key_value.h"
#include "agent/decode/syslog.h"

namespace {

using namespace millrace;
using namespace millrace::agent;

std::vector<std::unique_ptr<Decoder>> All() {
  const auto utc = *time::Zone::Load("UTC");
  KeyValueOptions strict;
  strict.lenient_blanks = false;
  strict.field_delimiter = "||";
  strict.key_value_delimiter = "--";
  strict.infer_types = true;
  CsvOptions named;
  named.columns = {"a", "b"};
  named.infer_types = true;
  std::vector<std::unique_ptr<Decoder>> all;
  all.push_back(std::make_unique<JsonDecoder>(JsonLimits{}));
  all.push_back(std::make_unique<JsonDecoder>(JsonLimits{}, true));
  all.push_back(std::make_unique<KeyValueDecoder>(KeyValueOptions{}));
  all.push_back(std::make_unique<KeyValueDecoder>(strict));
  all.push_back(std::make_unique<CsvDecoder>(CsvOptions{}));
  all.push_back(std::make_unique<CsvDecoder>(named));
  all.push_back(std::make_unique<SyslogDecoder>(utc));
  all.push_back(std::make_unique<NginxErrorDecoder>(utc));
  all.push_back(std::make_unique<ApacheErrorDecoder>(utc));
  for (const auto format :
       {AccessFormat::kNginxCombined, AccessFormat::kNginxMain, AccessFormat::kNginxIngress,
        AccessFormat::kCommon, AccessFormat::kCombined})
    all.push_back(std::make_unique<AccessLogDecoder>(format));
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto* const decoders = new auto(All());
  if (size == 0) return 0;
  const Decoder& decoder = *(*decoders)[data[0] % decoders->size()];
  // Of the exact size, so that reading behind the end is seen.
  const std::unique_ptr<char[]> copy(new char[size - 1]);
  for (std::size_t i = 1; i < size; ++i) copy[i - 1] = static_cast<char>(data[i]);
  Arena arena;
  Decoded out;
  if (decoder.Decode({copy.get(), size - 1}, arena, out) != nullptr) return 0;
  // What a decoder gives out is valid JSON: written and read again it must be accepted.
  Buffer b;
  b.Append('{');
  for (const Field& f : out.fields) {
    if (b.size() > 1) b.Append(',');
    json::AppendQuoted(b, f.name());
    b.Append(':');
    json::Append(b, Value::Of(f));
  }
  b.Append('}');
  JsonLimits wide;
  wide.max_bytes = 1 << 30;
  wide.max_depth = 1000;
  wide.lossy = false;
  Decoded again;
  if (JsonDecoder(wide).Decode(b.view(), arena, again) != nullptr) std::abort();
  return 0;
}
