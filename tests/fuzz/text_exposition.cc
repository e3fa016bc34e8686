// The text format, Accept headers, numbers and UTF-8: bytes from files and from the network.
#include <cstdint>
#include <string>
#include <string_view>

#include "common/exposition/negotiate.h"
#include "common/exposition/text_parser.h"
#include "common/exposition/writer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::exposition;
  const std::string_view text(static_cast<const char*>(static_cast<const void*>(data)), size);
  static_cast<void>(ContentType(NegotiateFormat(text)));
  static_cast<void>(NegotiateEncoding(text));
  const auto families = ParseText(text);
  MetricWriter writer;
  for (const Format format : {Format::kText, Format::kOpenMetrics, Format::kProtobuf}) {
    writer.Reset(format);
    writer.Family("raw", MetricType::kGauge, text);
    writer.Sample({{"bytes", text}}, static_cast<double>(size));
    if (families)
      for (const ParsedFamily& f : *families) {
        writer.Family(f.name, f.type, f.help);
        for (const ParsedSeries& s : f.series) {
          if (f.type == MetricType::kHistogram) {
            writer.Histogram({}, s.points, s.sum, s.count);
          } else {
            writer.Sample(s.value);
          }
        }
      }
    Assembler assembler;
    assembler.Begin(format);
    assembler.Add(writer);
    std::string out;
    assembler.Finish(out);
  }
  return 0;
}
