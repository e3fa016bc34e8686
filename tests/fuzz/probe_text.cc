// Texts from targets and query strings: URLs, CEL, cookies, heads and bodies of HTTP answers.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "exporters/uptime_probe/cel/program.h"
#include "exporters/uptime_probe/http/cookies.h"
#include "exporters/uptime_probe/http/transport.h"

using namespace millrace::uptime_probe;

namespace {

/// A connection that delivers the input, a few bytes a read.
class Replay final : public Stream {
 public:
  explicit Replay(std::string_view text) : text_(text) {}
  millrace::Result<std::size_t> Read(char* buffer, std::size_t size) override {
    const std::size_t n = std::min({size, text_.size(), std::size_t{7}});
    std::memcpy(buffer, text_.data(), n);
    text_.remove_prefix(n);
    return n;
  }
  millrace::Status Write(std::string_view) override { return {}; }
  int fd() const override { return -1; }
  Deadline deadline() const override { return Clock::now() + std::chrono::seconds(5); }

 private:
  std::string_view text_;
};

void ReadAll(web::BodyReader& body) {
  char buffer[512];
  for (std::size_t total = 0; total < (1U << 20);) {
    const auto n = body.Read(buffer, sizeof buffer);
    if (!n || *n == 0) return;
    total += *n;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string text(data + 1, data + size);
  switch (data[0] % 4) {
    case 0:
      if (const auto url = web::Url::Parse(text)) {
        const web::Url base = *web::Url::Parse("http://a.test/b/c?d");
        (void)base.Resolve(*url).Text();
        (void)url->HostName();
        (void)url->RequestTarget();
        (void)url->Redacted();
      }
      break;
    case 1:
      if (const auto program = cel::Program::Compile(text)) {
        static const cel::Value body = *cel::FromJson(R"({"a":[1,2,{"b":null}],"s":"x","t":true})");
        (void)program->Evaluate(body, Clock::now() + std::chrono::milliseconds(200));
      }
      (void)cel::FromJson(text);
      break;
    case 2: {
      web::CookieJar jar;
      web::Headers headers;
      headers.Add("Set-Cookie", text);
      const web::Url url = *web::Url::Parse("http://h.test/x");
      jar.Store(url, headers);
      (void)jar.For(url);
      (void)web::BypassesProxy(text, "h.test", "80");
      break;
    }
    default: {
      web::Trace trace;
      auto r = web::ReadHttp1Response(
          std::make_shared<web::BufferedStream>(std::make_unique<Replay>(text)), "GET", trace);
      if (!r) break;
      static constexpr const char* kAlgorithms[] = {"gzip", "deflate", "br", "identity"};
      auto decoder = web::MakeDecoder(kAlgorithms[text.size() % 4], r->body);
      if (decoder) ReadAll(**decoder);
    }
  }
  return 0;
}
