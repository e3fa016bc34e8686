// A template, a line feed, and a hostile value: what is rendered never leaves its bounds.
#include "agent/core/template.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace millrace::agent;
  const std::string_view in(reinterpret_cast<const char*>(data), size);
  const std::size_t cut = in.find('\n');
  if (cut == std::string_view::npos) return 0;
  EventBatch batch;
  batch.Begin(0, static_cast<std::int64_t>(size) * 1'000'003'000'000'007);
  batch.Append(Field::String("a", in.substr(cut + 1)));
  batch.Append(Field::String("b", in.substr(cut + 1), Type::kRawJson));
  for (const TemplateUse use :
       {TemplateUse::kText, TemplateUse::kIndex, TemplateUse::kTopic, TemplateUse::kPath}) {
    auto t = Template::Parse(in.substr(0, cut), use);
    if (!t) continue;
    std::string out;
    t->Render(batch, batch.event(0), "none", out);
    if (!out.starts_with(t->prefix())) std::abort();
    if (use == TemplateUse::kIndex || use == TemplateUse::kTopic) {
      if (out.size() > 255) std::abort();
      for (const char c : out)
        if (c == '/' || static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '*') std::abort();
    }
    // Not more folders than the template has itself.
    if (use == TemplateUse::kPath) {
      const auto slashes = [](std::string_view s) {
        std::size_t n = 0;
        for (const char c : s) n += c == '/' ? 1 : 0;
        return n;
      };
      if (slashes(out) > slashes(in.substr(0, cut))) std::abort();
    }
  }
  return 0;
}
