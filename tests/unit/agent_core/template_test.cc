#include "agent/core/template.h"

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

constexpr std::int64_t kNoon = 1'763'812'800'000'000'000;  // 2025-11-22T12:00:00Z

struct Case {
  TemplateUse use;
  const char *text, *want;
  bool missing, changed;
};

TEST_CASE("fields, nested fields and times are put in, and confined to what the use allows") {
  EventBatch b;
  b.AddCommon(Field::String("host", "h1"));
  b.Begin(0, kNoon);
  b.Append(Field::String("app", "Shop Api/../x"));
  b.Append(Field::String("dots", ".."));
  b.Append(Field::String("esc", "a\\u0042\\n", Type::kJsonString));
  b.Append(Field::String("k8s", R"({"pod": {"name": "p-1", "n": 7, "o": {}}, "z": null})",
                         Type::kRawJson));
  b.Append(Field::String("flat.name", "f"));
  b.Append(Field::Int("n", 42));
  b.Append(Field::String("empty", ""));
  b.Append(Field::String("long", std::string_view()));
  const std::string big(5000, 'a');
  b.Append(Field::String("big", big));
  using enum TemplateUse;
  const Case cases[] = {
      {kText, "{{ host }}", "h1", false, false},
      {kText, "{{app}}:{{ n }} 100%%", "Shop Api/../x:42 100%", false, false},
      {kText, "{{ esc }}", "aB\n", false, false},
      {kText, "{{ k8s.pod.name }}/{{ k8s.pod.n }}", "p-1/7", false, false},
      {kText, "{{ flat.name }}", "f", false, false},
      {kText, "x{{ none }}", "xFB", true, false},
      {kText, "x{{ empty }}", "xFB", true, false},
      {kText, "x{{ k8s }}", "xFB", true, false},
      {kText, "x{{ k8s.pod.o }}", "xFB", true, false},
      {kText, "x{{ k8s.z }}", "xFB", true, false},
      {kText, "x{{ host.y }}", "xFB", true, false},
      {kIndex, "logs-{{ app }}-%Y.%m.%d", "logs-shop_api_.._x-2025.11.22", false, true},
      {kIndex, "logs-{{ none }}", "logs-fb", true, false},
      {kIndex, "%Y-%F", "2025-2025-11-22", false, false},
      {kTopic, "prod-container_{{ app }}", "prod-container_Shop_Api_.._x", false, true},
      {kPath, "/var/log/{{ app }}/%H.log", "/var/log/Shop Api_.._x/12.log", false, true},
      {kPath, "/var/log/{{ dots }}/x", "/var/log/_./x", false, true},
      {kPath, "out/{{ host }}", "out/h1", false, false},
  };
  for (const Case& c : cases) {
    INFO(c.text);
    auto t = Template::Parse(c.text, c.use);
    REQUIRE(t);
    std::string out;
    const auto outcome = t->Render(b, b.event(0), "FB", out);
    CHECK(out == c.want);
    CHECK(outcome.missing == c.missing);
    CHECK(outcome.changed == c.changed);
  }
  auto t = Template::Parse("i{{ big }}", kIndex);
  std::string out;
  CHECK(t->Render(b, b.event(0), "", out).changed);
  CHECK(out.size() == 255);
}

TEST_CASE("the time's text follows the event") {
  EventBatch b;
  b.Begin(0, kNoon);
  b.Begin(1, kNoon + 86400LL * 1'000'000'000);
  b.Begin(2, -1);
  auto t = Template::Parse("a-%d", TemplateUse::kIndex);
  std::string out;
  for (std::size_t i = 0; i < 3; ++i) t->Render(b, b.event(i), "", out);
  CHECK(out == "a-22a-23a-31");
}

TEST_CASE("bad templates say why") {
  using enum TemplateUse;
  const std::pair<TemplateUse, std::pair<const char*, const char*>> cases[] = {
      {kText, {"", "empty"}},
      {kText, {"{{ a", "without"}},
      {kText, {"{{ }}", "must name one field"}},
      {kText, {"{{ a b }}", "must name one field"}},
      {kText, {"50%", "conversion"}},
      {kText, {"%Q", "conversion"}},
      {kIndex, {"{{ app }}-x", "literal text"}},
      {kIndex, {"Logs", "lower case"}},
      {kIndex, {"logs*", "literal text"}},
      {kIndex, {"_logs", "must not start"}},
      {kIndex, {"logs-%e", "gives characters"}},
      {kIndex, {"logs-%b", "gives characters"}},
      {kTopic, {"logs-%T", "gives characters"}},
      {kTopic, {"{{ t }}", "literal text"}},
      {kTopic, {"a/b", "literal text"}},
      {kPath, {"/{{ app }}", "literal folder"}},
      {kPath, {"app{{ app }}", "literal folder"}},
      {kPath, {"/var/log/", "not a folder"}},
  };
  for (const auto& [use, c] : cases) {
    INFO(c.first);
    const auto t = Template::Parse(c.first, use);
    REQUIRE_FALSE(t);
    CHECK(t.error().message.find(c.second) != std::string::npos);
  }
}

}  // namespace
}  // namespace millrace::agent
