// Cases that others wrote for functions that do what ours do: parse functions of Vector's language,
// time formats and multiline parsers of Fluent Bit. They are not part of this repository; see
// MILLRACE_SHARED. Every case passes, or stands below with the reason why ours is meant to differ,
// or belongs to a function that there is no step for.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "agent/core/json_text.h"
#include "agent/decode/access_log.h"
#include "agent/decode/csv.h"
#include "agent/decode/error_log.h"
#include "agent/decode/json.h"
#include "agent/decode/key_value.h"
#include "agent/decode/regex.h"
#include "agent/decode/syslog.h"
#include "agent/transforms/multiline/joiner.h"
#include "common/time/format.h"
#include "common/time/parse.h"
#include "common/time/rfc3339.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

using Json = nlohmann::json;

std::string Shared() {
  const char* dir = std::getenv("MILLRACE_SHARED");
  return dir != nullptr ? dir : "../shared";
}

/// Empty = the file is not here, which is said loudly.
std::vector<Json> Load(const std::string& name) {
  std::ifstream in(Shared() + "/outside/" + name);
  std::vector<Json> cases;
  for (std::string line; std::getline(in, line);) cases.push_back(Json::parse(line));
  if (cases.empty())
    std::printf("\n*** SKIPPED: %s is not here. Set MILLRACE_SHARED to run its cases. ***\n",
                name.c_str());
  return cases;
}

struct Score {
  int passed = 0, differs = 0, not_offered = 0;
  void Print(const char* what) const {
    std::printf("%s: %d passed, %d differ on purpose, %d of functions without a step of ours\n",
                what, passed, differs, not_offered);
  }
};

// --- comparison ---

Json ToJson(const Value& v) {
  Buffer b;
  json::Append(b, v);
  return Json::parse(b.view(), nullptr, false);
}

bool Same(const Json& ours, const Json& theirs, bool year) {
  if (theirs.is_object() && theirs.size() == 1 && theirs.contains("$float")) {
    const double wanted = std::stod(theirs["$float"].get<std::string>());
    return ours.is_number() && std::fabs(ours.get<double>() - wanted) <= 1e-12 * std::fabs(wanted);
  }
  if (theirs.is_object() && theirs.size() == 1 && theirs.contains("$timestamp")) {
    if (!ours.is_string()) return false;
    const auto a = time::ParseRfc3339(ours.get<std::string>());
    const auto b = time::ParseRfc3339(theirs["$timestamp"].get<std::string>());
    if (!a || !b) return false;
    return year ? *a == *b : FormatRfc3339(*a).substr(4) == FormatRfc3339(*b).substr(4);
  }
  if (theirs.is_object()) {
    if (!ours.is_object() || ours.size() != theirs.size()) return false;
    for (const auto& [key, value] : theirs.items())
      if (!ours.contains(key) || !Same(ours[key], value, year)) return false;
    return true;
  }
  if (theirs.is_array()) {
    if (!ours.is_array() || ours.size() != theirs.size()) return false;
    for (std::size_t i = 0; i < ours.size(); ++i)
      if (!Same(ours[i], theirs[i], year)) return false;
    return true;
  }
  return ours == theirs;
}

std::string Bytes(const Json& input) {
  if (input.is_string()) return input.get<std::string>();
  std::string out;
  for (const auto& b : input["$bytes"]) out += static_cast<char>(b.get<int>());
  return out;
}

// --- our side ---

std::shared_ptr<const time::Zone> ZoneOf(std::string name) {
  // "TimeZone::Named(chrono_tz::Europe::Paris)"
  if (const auto at = name.find("chrono_tz::"); at != std::string::npos) {
    name = name.substr(at + 11, name.find(')') - at - 11);
    if (const auto colons = name.find("::"); colons != std::string::npos)
      name.replace(colons, 2, "/");
  }
  auto zone = time::Zone::Load(name);
  return zone ? *zone : nullptr;
}

/// The step of ours for a case; null = there is none.
std::unique_ptr<Decoder> DecoderOf(const Json& c) {
  const std::string function = c["function"];
  const Json& args = c["args"];
  const std::string format = args.value("format", "");
  const auto utc = ZoneOf(c.value("tz", "UTC"));
  if (function == "parse_json") {
    JsonLimits limits;
    limits.lossy = args.value("lossy", true);
    limits.max_depth = args.value("max_depth", 128U);
    return std::make_unique<JsonDecoder>(limits, true);
  }
  if (function == "parse_key_value" || function == "parse_logfmt") {
    KeyValueOptions o;
    o.field_delimiter = args.value("field_delimiter", " ");
    o.key_value_delimiter = args.value("key_value_delimiter", "=");
    o.standalone_keys = args.value("accept_standalone_key", true);
    o.lenient_blanks = args.value("whitespace", "lenient") == "lenient";
    return std::make_unique<KeyValueDecoder>(o);
  }
  if (function == "parse_csv") {
    CsvOptions o;
    o.delimiter = args.value("delimiter", ",")[0];
    return std::make_unique<CsvDecoder>(o);
  }
  if (function == "parse_syslog") return std::make_unique<SyslogDecoder>(utc);
  if (function == "parse_common_log")
    return std::make_unique<AccessLogDecoder>(AccessFormat::kCommon);
  if (function == "parse_apache_log") {
    if (format == "error") return std::make_unique<ApacheErrorDecoder>(utc);
    return std::make_unique<AccessLogDecoder>(format == "common" ? AccessFormat::kCommon
                                                                 : AccessFormat::kCombined);
  }
  if (function == "parse_nginx_log") {
    if (format == "error") return std::make_unique<NginxErrorDecoder>(utc);
    return std::make_unique<AccessLogDecoder>(format == "main"       ? AccessFormat::kNginxMain
                                              : format == "combined" ? AccessFormat::kNginxCombined
                                                                     : AccessFormat::kNginxIngress);
  }
  return nullptr;
}

Json RunDecoder(const Decoder& decoder, const std::string& text, std::string& why) {
  Arena arena;
  Decoded out;
  if (const char* error = decoder.Decode(text, arena, out)) {
    why = error;
    return {};
  }
  if (out.value.present) return ToJson(out.value);
  Json object = Json::object();
  for (const Field& f : out.fields) object[std::string(f.name())] = ToJson(Value::Of(f));
  if (out.time_ns != 0) object["timestamp"] = FormatRfc3339(out.time_ns);
  return object;
}

/// Where ours is meant to differ: function and case, why.
const std::map<std::string, std::string>& Differences() {
  static const std::map<std::string, std::string> kList = {
      {"parse_json/max_depth", "deeper levels are a failure, not text within the result"},
      {"parse_json/max_depth_array", "deeper levels are a failure, not text within the result"},
      {"parse_csv/invalid_utf8", "values are written as UTF-8, so the output has U+FFFD"},
      {"parse_apache_log/error_line_threaded_mpms_valid",
       "the message stays in one piece instead of message1 and message2"},
  };
  return kList;
}

TEST_CASE("parse functions of Vector's language") {
  Score score;
  for (const Json& c : Load("parse/open.jsonl")) {
    const std::string function = c["function"],
                      name = function + "/" + c["case"].get<std::string>();
    const bool want_error = !c["error"].is_null();
    std::string why;
    Json ours;
    if (function == "parse_timestamp") {
      const std::string zone = c["args"].contains("timezone")
                                   ? c["args"]["timezone"].get<std::string>()
                                   : c.value("tz", "UTC");
      const auto z = ZoneOf(zone);
      auto parser = z != nullptr ? time::TimeParser::Make(c["args"]["format"].get<std::string>(), z)
                                 : Result<time::TimeParser>(Fail(ErrorCode::kNotFound, "no zone"));
      const auto ns =
          parser ? parser->Parse(Bytes(c["input"]), 1'780'000'000'000'000'000) : std::nullopt;
      if (ns)
        ours = FormatRfc3339(*ns);
      else
        why = "no time";
    } else if (function == "parse_regex") {
      auto decoder = RegexDecoder::Make({c["args"]["pattern"]["$regex"].get<std::string>()}, {},
                                        ZoneOf("UTC"));
      REQUIRE(decoder);
      ours = RunDecoder(**decoder, Bytes(c["input"]), why);
    } else if (const auto decoder = DecoderOf(c)) {
      ours = RunDecoder(*decoder, Bytes(c["input"]), why);
    } else {
      ++score.not_offered;
      continue;
    }
    const bool no_year =
        function == "parse_syslog" && Bytes(c["input"]).find(">1 ") == std::string::npos;
    const bool same =
        want_error ? !why.empty() : why.empty() && Same(ours, c["expected"], !no_year);
    const auto known = Differences().find(name);
    INFO(name << "\ninput:    " << c["input"].dump() << "\nexpected: " << c["expected"].dump()
              << (want_error ? " (an error)" : "") << "\nours:     " << ours.dump() << " " << why);
    CHECK(same == (known == Differences().end()));
    ++(same ? score.passed : score.differs);
  }
  score.Print("outside/parse");
}

TEST_CASE("time formats of Fluent Bit") {
  Score score;
  for (const Json& c : Load("multiline/time.jsonl")) {
    const int offset = c["default_utc_offset"].get<int>();
    char zone[8];
    std::snprintf(zone, sizeof zone, "%c%02d:%02d", offset < 0 ? '-' : '+',
                  std::abs(offset) / 3600 % 24, std::abs(offset) / 60 % 60);
    auto parser = time::TimeParser::Make(c["format"].get<std::string>(), ZoneOf(zone));
    INFO(c.dump());
    REQUIRE(parser);
    const std::int64_t epoch = c["epoch"].get<std::int64_t>();
    const auto ns = parser->Parse(c["input"].get<std::string>(), (epoch + 60) * 1'000'000'000);
    REQUIRE(ns);
    const double fraction = c["frac"].get<double>();
    CHECK(*ns == epoch * 1'000'000'000 + std::llround(fraction * 1e9));
    ++score.passed;
  }
  score.Print("outside/multiline/time");
}

TEST_CASE("multiline parsers of Fluent Bit") {
  Score score;
  const auto strip = [](std::string s) {
    while (!s.empty() && s.back() == '\n') s.pop_back();
    return s;
  };
  for (const Json& c : Load("multiline/multiline.jsonl")) {
    const Json& parsers = c["parsers"];
    std::vector<LineRules::Rule> rules;
    if (parsers.size() == 1 && parsers[0].is_string()) {
      if (const auto* preset = LineRules::Preset(parsers[0].get<std::string>())) rules = *preset;
      if (parsers[0] == "custom" && c["custom"]["type"] == "regex") {
        for (const Json& r : c["custom"]["rules"]) {
          LineRules::Rule rule;
          for (const Json& s : r["states"]) rule.states.push_back(s == "start_state" ? "start" : s);
          rule.pattern = r["regex"];
          rule.next = r["next"];
          // What the look-ahead says: the line does not start another message.
          if (rule.pattern.starts_with("^(?!")) {
            rule.pattern = "^" + rule.pattern.substr(4, rule.pattern.size() - 5);
            rule.negate = true;
          }
          rules.push_back(rule);
        }
      } else if (parsers[0] == "custom") {
        rules = {{{"start"}, R"(\\$)", "open", false, false},
                 {{"open"}, R"(\\$)", "open", false, false},
                 {{"open"}, "", "open", false, true}};
      }
    }
    if (rules.empty()) {
      ++score.not_offered;
      continue;
    }
    INFO(c["id"]);
    auto compiled = LineRules::Make(rules);
    REQUIRE(compiled);
    Joiner::Options options;
    options.field = *Path::Parse(".message");
    options.separator = "\n";
    MetricsRegistry registry;
    Joiner joiner(std::move(options), *compiled,
                  std::make_shared<Metrics>(registry, "t", "transform", "multiline"));
    std::vector<std::string> ours;
    std::size_t with_file = 0;
    const auto take = [&](const EventBatch& batch) {
      for (std::size_t i = 0; i < batch.size(); ++i) {
        ours.emplace_back(batch.Find(i, "message")->text());
        const Field* file = batch.Find(i, "file");
        with_file += file != nullptr && file->text() == "/var/log/test.log" ? 1U : 0U;
      }
    };
    const bool each = c.value("flush_after_each_line", false);
    for (const Json& line : c["input"]) {
      EventBatch batch;
      batch.Begin(0, 0);
      batch.Append(Field::String("message", batch.arena.Copy(strip(line.get<std::string>()))));
      batch.AddCommon(Field::String("file", "/var/log/test.log"));
      joiner.Apply(batch);
      batch.Sweep();
      take(batch);
      if (each)
        for (const auto& held : joiner.Flush(true)) take(*held);
    }
    for (const auto& held : joiner.Flush(true)) take(*held);
    if (c["expected"].is_null()) {
      CHECK(ours.size() == c["expected_records"].get<std::size_t>());
    } else {
      std::vector<std::string> wanted;
      for (const Json& text : c["expected"]) wanted.push_back(strip(text.get<std::string>()));
      CHECK(ours == wanted);
    }
    CHECK(with_file == ours.size());
    ++score.passed;
  }
  score.Print("outside/multiline");
}

}  // namespace
}  // namespace millrace::agent
