#include "agent/decode/json.h"

#include <random>
#include <string>

#include <simdjson.h>

#include "agent/core/json_text.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

struct Outcome {
  std::string why, fields;
  bool verbatim = false;
};

Outcome Run(std::string_view text, JsonLimits limits = {}, bool whole = false) {
  Arena arena;
  Decoded out;
  // A copy of the exact size: reading behind the end is found by the sanitizer.
  const std::unique_ptr<char[]> copy(new char[text.size()]);
  std::copy(text.begin(), text.end(), copy.get());
  const char* why = JsonDecoder(limits, whole).Decode({copy.get(), text.size()}, arena, out);
  Outcome o;
  if (why != nullptr) {
    o.why = why;
    return o;
  }
  Buffer b;
  if (out.value.present) json::Append(b, out.value);
  for (const Field& f : out.fields) {
    b.Append(f.name());
    b.Append('=');
    json::Append(b, Value::Of(f));
    b.Append(' ');
  }
  o.fields = b.view();
  o.verbatim = out.object != nullptr;
  return o;
}

TEST_CASE("members become fields without being rewritten") {
  const Outcome o = Run(
      R"( {"a":"x\ty","b" : -1.50e3, "c":{"d":[1, 2]},"e":[],"f":true,"g":null,"k\u00e9y":"\ud83d\ude00"} )");
  CHECK(o.fields ==
        "a=\"x\\ty\" b=-1.50e3 c={\"d\":[1, 2]} e=[] f=true g=null k\xc3\xa9y=\"\\ud83d\\ude00\" ");
  CHECK(o.verbatim);
  CHECK(Run("{}").verbatim);
}

TEST_CASE("of a repeated key the last value counts and the text is not copied") {
  const Outcome o = Run(R"({"a":1,"b":2,"\u0061":3})");
  CHECK(o.fields == "a=3 b=2 ");
  CHECK_FALSE(o.verbatim);
}

TEST_CASE("an object on several lines is brought onto one") {
  const Outcome o = Run("{\n  \"a\": {\n \"b\": 1 },\r\n \"c\": \"x y\"}\n");
  CHECK(o.fields == "a={\"b\":1} c=\"x y\" ");
  CHECK(o.verbatim);
  CHECK(Run("[1,\n2]", {}, true).fields == "[1,2]");
}

TEST_CASE("bytes that are not UTF-8 are replaced or refused") {
  CHECK(Run("{\"a\":\"x\xff\xc3\"}").fields == "a=\"x\xef\xbf\xbd\xef\xbf\xbd\" ");
  JsonLimits strict;
  strict.lossy = false;
  CHECK(Run("{\"a\":\"x\xff\"}", strict).why == "not UTF-8");
}

TEST_CASE("what is not an object is refused with a reason") {
  for (const char* text : {"",
                           " ",
                           "plain",
                           "[1]",
                           "\"a\"",
                           "{",
                           "{\"a\"",
                           "{\"a\":",
                           "{\"a\":1",
                           "{\"a\":1,",
                           "{a:1}",
                           "{\"a\":1}}",
                           "{\"a\":1} x",
                           "{\"a\":01}",
                           "{\"a\":1.}",
                           "{\"a\":.5}",
                           "{\"a\":+1}",
                           "{\"a\":1e}",
                           "{\"a\":-}",
                           "{\"a\":tru}",
                           "{\"a\":nul}",
                           "{\"a\":\"x}",
                           "{\"a\":\"\\x\"}",
                           "{\"a\":\"\\u12g4\"}",
                           "{\"a\":\"\t\"}",
                           "{\"a\":[1,]}",
                           "{\"a\":{,}}",
                           "{\"a\":{\"b\"}}",
                           "{\"a\":1 \"b\":2}",
                           "{,}",
                           "{\"a\":'x'}",
                           "{\"a\":\"\\",
                           "{\"a\" 1}"}) {
    INFO(text);
    CHECK_FALSE(Run(text).why.empty());
  }
  CHECK(Run(std::string("{\"a\":\"x\0y\"}", 11)).why ==
        "not JSON: a control character in a string");
}

TEST_CASE("limits hold against hostile input") {
  JsonLimits limits;
  CHECK(Run("{\"a\":" + std::string(10'000, '[')).why == "nested too deep");
  CHECK(Run("{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}").why.empty());
  limits.max_bytes = 10;
  CHECK(Run("{\"a\":\"xxxxxxxxxx\"}", limits).why == "the text is longer than max_bytes");
  std::string many = "{";
  for (int i = 0; i < 100'000; ++i) many += "\"key" + std::to_string(i) + "\":1,";
  many.back() = '}';
  CHECK(Run(many).why.empty());
  many.back() = ',';
  CHECK(Run(many + "\"key7\":2}").fields.find("key7=2 ") != std::string::npos);
  CHECK(Run(many + "\"x\":2}").why == "more fields than max_fields");
  CHECK(Run("{\"" + std::string(70'000, 'k') + "\":1}").why == "a key is longer than 65535 bytes");
  CHECK(Run("{\"n\":1e999999,\"m\":123456789012345678901234567890}").why.empty());
}

TEST_CASE("what we take for JSON is what simdjson takes for JSON") {
  simdjson::dom::parser parser;
  std::mt19937 random(7);
  const std::string seed =
      R"({"a":"x\ty\u00e9","b":[1,-2.5e3,true,null,{"c":{}}],"d":{"e":"f"},"n":0,"m":10.25})";
  const std::string bytes = "{}[]\",:\\0123456789.eE+-truefalsn \t\n\x01\xc3\xa9u";
  int accepted = 0;
  for (int round = 0; round < 200'000; ++round) {
    std::string text = seed;
    for (int k = static_cast<int>(random() % 3); k >= 0; --k) {
      const std::size_t at = random() % text.size();
      const char c = bytes[random() % bytes.size()];
      switch (random() % 3) {
        case 0:
          text[at] = c;
          break;
        case 1:
          text.insert(at, 1, c);
          break;
        default:
          text.erase(at, 1 + random() % 3);
      }
      if (text.empty()) text = "{";
    }
    JsonLimits strict;
    strict.lossy = false;
    simdjson::dom::element element;
    const auto error = parser.parse(text).get(element);
    // The grammar of RFC 8259 has no range of numbers and allows any \u escape; simdjson does not.
    const bool stricter = error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR;
    const bool theirs = error == simdjson::SUCCESS && element.is_object();
    const bool ours = Run(text, strict).why.empty();
    INFO(text << " simdjson: " << simdjson::error_message(error));
    if (stricter && ours) continue;
    REQUIRE(ours == theirs);
    accepted += ours ? 1 : 0;
  }
  CHECK(accepted > 1000);
}

}  // namespace
}  // namespace millrace::agent
