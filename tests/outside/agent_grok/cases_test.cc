// Cases of Logstash's pattern library, under legacy and ECS names. They are not part of this
// repository; see MILLRACE_SHARED. A case passes, or its pattern is not in our library yet.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <map>

#include <nlohmann/json.hpp>

#include "agent/core/json_text.h"
#include "agent/rules/grok/grok.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

using Json = nlohmann::json;

void Flatten(const Json& value, const std::string& prefix, std::map<std::string, Json>& out) {
  if (!value.is_object()) {
    out[prefix] = value;
    return;
  }
  for (const auto& [key, inner] : value.items())
    Flatten(inner, prefix.empty() ? key : prefix + "." + key, out);
}

TEST_CASE("pattern library of Logstash") {
  const char* dir = std::getenv("MILLRACE_SHARED");
  std::ifstream in(std::string(dir != nullptr ? dir : "../shared") + "/outside/grok/open.jsonl");
  int passed = 0, missing = 0, failed = 0;
  for (std::string line; std::getline(in, line);) {
    const Json c = Json::parse(line);
    GrokOptions options;
    options.patterns = {c["pattern"].get<std::string>()};
    options.library =
        &PatternLibrary::BuiltIn(c["mode"] == "legacy" ? GrokNames::kLegacy : GrokNames::kEcs);
    const auto decoder = GrokDecoder::Make(options);
    if (!decoder && decoder.error().message.find("unknown pattern") != std::string::npos) {
      ++missing;
      continue;
    }
    INFO(c["id"] << " " << c["pattern"] << " " << c["mode"] << "\n" << c["input"].dump());
    REQUIRE(decoder);
    Arena arena;
    Decoded found;
    const std::string input = c["input"];
    const bool matched = (*decoder)->Decode(input, arena, found) == nullptr;
    std::map<std::string, Json> ours, theirs;
    for (const Field& f : found.fields) {
      Buffer b;
      json::Append(b, Value::Of(f));
      Flatten(Json::parse(b.view()), std::string(f.name()), ours);
    }
    Flatten(c["expected"], "", theirs);
    theirs.erase("");
    bool same = matched == c["should_match"].get<bool>();
    if (matched && c["should_match"].get<bool>()) same = ours == theirs;
    ++(same ? passed : failed);
    INFO("expected " << Json(theirs).dump() << "\nours     " << Json(ours).dump());
    CHECK(same);
  }
  if (passed + missing + failed == 0)
    std::printf(
        "\n*** SKIPPED: the grok cases are not here. Set MILLRACE_SHARED to run them. ***\n");
  else
    std::printf("outside/grok: %d of %d pass, %d need patterns that are not in the library yet\n",
                passed, passed + failed + missing, missing);
}

}  // namespace
}  // namespace millrace::agent
