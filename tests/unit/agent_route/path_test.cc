#include "agent/core/path.h"

#include <string>

#include "agent/core/json_text.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

std::string Show(const Value& v) {
  Buffer out;
  json::Append(out, v);
  return v.present ? std::string(out.view()) : "absent";
}

Path P(std::string_view text) {
  auto path = Path::Parse(text);
  INFO(text);
  REQUIRE(path);
  return *path;
}

std::unique_ptr<EventBatch> One() {
  auto b = std::make_unique<EventBatch>();
  b->Begin(0, 0);
  b->Append(Field::String("a", R"({"b": {"c": [1, {"d": "x\ny"}, null]}, "k\u0031": 2, "b2":"}"})",
                          Type::kRawJson));
  b->Append(Field::String("s", "plain"));
  return b;
}

TEST_CASE("paths read nested JSON where it stands") {
  const auto b = One();
  const auto get = [&](std::string_view text) { return Show(P(text).Get(*b, b->event(0))); };
  CHECK(get(".s") == "\"plain\"");
  CHECK(get("s") == "\"plain\"");
  CHECK(get(".a.b.c[0]") == "1");
  CHECK(get(".a.b.c[1].d") == R"("x\ny")");
  CHECK(get(".a.b.c[2]") == "null");
  CHECK(get(".a.b.c[3]") == "absent");
  CHECK(get(".a.k1") == "2");
  CHECK(get(R"(.a."b2")") == "\"}\"");
  CHECK(get(".s.x") == "absent");
  CHECK(get(".q.x") == "absent");
}

TEST_CASE("paths change nested JSON and make what is missing") {
  auto b = One();
  const auto set = [&](std::string_view text, const Value& v) { return P(text).Set(*b, 0, v); };
  const auto a = [&] { return Show(P(".a").Get(*b, b->event(0))); };
  CHECK(set(".a.b.c[1].d", Value::Int(7)));
  CHECK(a() == R"({"b":{"c":[1,{"d":7},null]},"k\u0031":2,"b2":"}"})");
  CHECK(set(".a.b.c[3]", Value::Bool(true)));
  CHECK_FALSE(set(".a.b.c[9]", Value::Bool(true)));
  CHECK(P(".a.b.c[0]").Remove(*b, 0));
  CHECK_FALSE(P(".a.b.zzz").Remove(*b, 0));
  CHECK(a() == R"({"b":{"c":[{"d":7},null,true]},"k\u0031":2,"b2":"}"})");
  CHECK(P(".a.b").Remove(*b, 0));
  CHECK(set(".s.x.y", Value::Text("q\"")));
  CHECK(Show(P(".s").Get(*b, b->event(0))) == R"({"x":{"y":"q\""}})");
  CHECK(set(".fresh[0].z", Value::Double(1)));
  CHECK(Show(P(".fresh").Get(*b, b->event(0))) == R"([{"z":1.0}])");
  CHECK_FALSE(set(".other[1]", Value::Int(1)));
  CHECK_FALSE(set(".", Value::Int(1)));
}

TEST_CASE("paths are written back as they were meant") {
  for (const char* text : {".a", ".a.b[0].c", R"(."x y".z)", R"(."q\"")", ".@timestamp", "."})
    CHECK(P(text).ToString() == text);
  for (const char* text : {"", ".a..b", ".a[", ".a[x]", ".a b", R"(."x)", "[0]", ".a.", "a()"}) {
    INFO(text);
    CHECK_FALSE(Path::Parse(text));
  }
}

}  // namespace
}  // namespace millrace::agent
