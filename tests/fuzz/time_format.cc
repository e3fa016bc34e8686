// Formats, texts and zone files: the input is split at its first line feed.
#include <cstdint>
#include <string_view>

#include "common/time/parse.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const auto cut = input.find('\n');
  const std::string_view format = input.substr(0, cut);
  const std::string_view text = cut == std::string_view::npos ? "" : input.substr(cut + 1);
  static_cast<void>(time::Zone::FromTzif(input));
  for (const char* name : {"UTC", "Europe/Berlin"}) {
    const auto zone = time::Zone::Load(name);
    if (!zone) continue;
    for (const std::string_view f : {format, std::string_view("auto"), std::string_view("rfc2822")})
      if (const auto parser = time::TimeParser::Make(f, *zone))
        static_cast<void>(parser->Parse(text, 1'700'000'000'000'000'000));
  }
  return 0;
}
