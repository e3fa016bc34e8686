#include <memory>

#include <simdjson.h>

#include "agent/core/escape.h"
#include "agent/encode/encoder.h"
#include "agent/encode/value.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

constexpr std::int64_t kNoon = 1'763'812'800'000'000'000;  // 2025-11-22T12:00:00Z

std::string Encode(const EventBatch& batch, const EncodingConfig& config = {},
                   std::size_t which = 0) {
  const auto encoder = MakeEncoder(config);
  Buffer out;
  encoder->Start(batch);
  encoder->Append(batch.event(which), out);
  return std::string(out.view());
}

std::string Escaped(std::string_view s) {
  Buffer out;
  AppendEscaped(out, s);
  return std::string(out.view());
}

EventBatch& Fill(EventBatch& b) {
  b.AddCommon(Field::String("host", "h1"));
  b.AddCommon(Field::String("file", "/var/log/a"));
  b.Begin(0, kNoon + 5'000'000);
  b.Append(Field::String("message", "hello \"you\""));
  b.Append(Field::Int("n", -7));
  b.Append(Field::Double("d", 1));
  b.Append(Field::Bool("t", true));
  b.Append(Field::Null("z"));
  b.Append(Field::String("j", "a\\n\\u00e9", Type::kJsonString));
  b.Append(Field::String("r", "{\"x\": [1,\n2]}", Type::kRawJson));
  b.Append(Field::Timestamp("at", kNoon));
  return b;
}

TEST_CASE("JSON has own fields, common fields, then the time, each type as JSON") {
  EventBatch b;
  CHECK(Encode(Fill(b)) ==
        R"({"message":"hello \"you\"","n":-7,"d":1.0,"t":true,"z":null,"j":"a\n\u00e9",)"
        R"("r":{"x": [1, 2]},"at":"2025-11-22T12:00:00Z","host":"h1","file":"/var/log/a",)"
        R"("timestamp":"2025-11-22T12:00:00.005Z"})");
}

TEST_CASE("an intact object is copied and only what was added follows") {
  EventBatch b;
  const std::string_view object = R"({ "message" : "x", "k":1 } )";
  b.AddCommon(Field::String("k", "hidden"));
  b.AddCommon(Field::String("host", "h"));
  Event& e = b.Begin(0, kNoon);
  e.object = object.data();
  e.object_len = static_cast<std::uint32_t>(object.rfind('}') + 1);
  e.object_fields = 2;
  b.Append(Field::String("message", "x", Type::kJsonString));
  b.Append(Field::String("k", "1", Type::kRawJson));
  b.Append(Field::String("env", "prod"));
  CHECK(Encode(b) ==
        R"({ "message" : "x", "k":1,"env":"prod","host":"h","timestamp":"2025-11-22T12:00:00Z"})");
  SECTION("unless fields are filtered") {
    EncodingConfig config;
    config.except_fields = {"message", "timestamp"};
    CHECK(Encode(b, config) == R"({"k":1,"env":"prod","host":"h"})");
    config = {};
    config.only_fields = {"message", "timestamp"};
    CHECK(Encode(b, config) == R"({"message":"x","timestamp":"2025-11-22T12:00:00Z"})");
  }
  SECTION("and stays one line when it was written over several") {
    const std::string_view spread = "{\n  \"a\": 1\r\n}";
    Event& s = b.Begin(0, 0);
    s.object = spread.data();
    s.object_len = static_cast<std::uint32_t>(spread.size());
    s.object_fields = 1;
    b.Append(Field::String("a", "1", Type::kRawJson));
    CHECK(Encode(b, {}, 1) == "{   \"a\": 1,\"k\":\"hidden\",\"host\":\"h\"}");
  }
}

TEST_CASE("events without fields are empty objects") {
  EventBatch b;
  Event& e = b.Begin(0, 0);
  CHECK(Encode(b) == "{}");
  e.object = "{ }";
  e.object_len = 3;
  CHECK(Encode(b) == "{}");
  b.Append(Field::Int("a", 1));
  CHECK(Encode(b) == "{\"a\":1}");
}

TEST_CASE("a common field hidden or removed for one event is not written") {
  EventBatch b;
  Fill(b);
  b.Begin(1, 0);
  b.Append(Field::String("host", "own"));
  b.Begin(2, 0);
  b.Append(Field::Int("n", 1));
  b.Remove(2, "host");
  CHECK(Encode(b, {}, 1) == R"({"host":"own","file":"/var/log/a"})");
  CHECK(Encode(b, {}, 2) == R"({"n":1,"file":"/var/log/a"})");
}

TEST_CASE("the event's own timestamp wins, also a common one, and the formats are numbers") {
  EventBatch b;
  b.Begin(0, kNoon);
  b.Append(Field::String("timestamp", "mine"));
  CHECK(Encode(b) == R"({"timestamp":"mine"})");
  EventBatch c;
  c.AddCommon(Field::Timestamp("timestamp", kNoon + 1));
  c.Begin(0, kNoon);
  CHECK(Encode(c) == R"({"timestamp":"2025-11-22T12:00:00.000000001Z"})");
  EncodingConfig config;
  config.timestamp_format = TimestampFormat::kUnixMs;
  CHECK(Encode(c, config) == R"({"timestamp":1763812800000})");
  config.timestamp_format = TimestampFormat::kUnix;
  CHECK(Encode(c, config) == R"({"timestamp":1763812800})");
  EventBatch d;
  d.Begin(0, kNoon).flags |= EventBatch::kNoTime;
  CHECK(Encode(d) == "{}");
}

TEST_CASE("strings of any length, with a special byte at any place, are escaped and repaired") {
  CHECK(Escaped("plain") == "plain");
  CHECK(Escaped("\b\f\n\r\t\x01\x1f\"\\/") == "\\b\\f\\n\\r\\t\\u0001\\u001f\\\"\\\\/");
  CHECK(Escaped("\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80") == "\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80");
  const std::string bad = "\xEF\xBF\xBD";
  CHECK(Escaped("a\xFF"
                "b") == "a" + bad + "b");
  CHECK(Escaped("\xC3") == bad);
  CHECK(Escaped("\xED\xA0\x80") == bad + bad + bad);
  CHECK(Escaped("\xC0\xAF") == bad + bad);
  CHECK(Escaped("\xF4\x90\x80\x80") == bad + bad + bad + bad);
  simdjson::dom::parser parser;
  const std::string_view specials[] = {"\"", "\n", "\\", "\x01", "\xC3\xA9", "\xF0\x9F\x98\x80"};
  for (std::size_t length = 0; length < 70; ++length) {
    for (std::size_t at = 0; at <= length; ++at) {
      for (const std::string_view special : specials) {
        std::string text(length, 'x');
        text.insert(at, special);
        if (at % 3 == 0) text += special;
        const std::string json = "{\"v\":\"" + Escaped(text) + "\"}";
        std::string_view back;
        const auto error = parser.parse(json)["v"].get_string().get(back);
        INFO(json);
        REQUIRE(error == simdjson::SUCCESS);
        REQUIRE(back == text);
        Buffer plain;
        AppendUnescaped(plain, std::string_view(json).substr(6, json.size() - 8));
        REQUIRE(plain.view() == text);
      }
    }
  }
  std::string controls(1000, '\x02');
  CHECK(Escaped(controls).size() == 6000);
}

TEST_CASE("unescaping knows surrogates and survives broken ones") {
  const auto plain = [](std::string_view s) {
    Buffer out;
    AppendUnescaped(out, s);
    return std::string(out.view());
  };
  CHECK(plain(R"(\u0041\ud83d\ude00\/)") == "A\xF0\x9F\x98\x80/");
  CHECK(plain(R"(\ud83d!)") == "\xEF\xBF\xBD!");
  CHECK(plain(R"(\ud83d\u0041)") ==
        "\xEF\xBF\xBD"
        "A");
  CHECK(plain(R"(\ude00)") == "\xEF\xBF\xBD");
}

TEST_CASE("text is the message on one line, raw_message its bytes, and no event becomes nothing") {
  EventBatch b;
  b.Begin(0, 0);
  b.Append(Field::String("message", "two\nlines \xFF"));
  b.Begin(1, 0);
  b.Append(Field::String("message", "a\\tb", Type::kJsonString));
  b.Begin(2, 0);
  b.Append(Field::Int("n", 1));
  EncodingConfig text, raw;
  text.codec = Codec::kText;
  raw.codec = Codec::kRawMessage;
  CHECK(Encode(b, text) == "two lines \xEF\xBF\xBD");
  CHECK(Encode(b, raw) == "two\nlines \xFF");
  CHECK(Encode(b, text, 1) == "a\tb");
  CHECK(Encode(b, raw, 2) == "{\"n\":1}");
}

TEST_CASE("logfmt quotes what needs it") {
  EventBatch b;
  EncodingConfig config;
  config.codec = Codec::kLogfmt;
  config.except_fields = {"z", "r"};
  CHECK(Encode(Fill(b), config) ==
        R"(message="hello \"you\"" n=-7 d=1.0 t=true j="a\né" at=2025-11-22T12:00:00Z host=h1 )"
        R"(file=/var/log/a timestamp=2025-11-22T12:00:00.005Z)");
}

TEST_CASE("numbers read back the same") {
  const auto number = [](double v) {
    Buffer out;
    AppendDouble(out, v);
    return std::string(out.view());
  };
  CHECK(number(0.1) == "0.1");
  CHECK(number(1e300) == "1e+300");
  CHECK(number(-2) == "-2.0");
  CHECK(number(std::numeric_limits<double>::quiet_NaN()) == "null");
}

}  // namespace
}  // namespace millrace::agent
