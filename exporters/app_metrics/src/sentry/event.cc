#include "exporters/app_metrics/src/sentry/event.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "exporters/app_metrics/src/ids.h"
#include "exporters/app_metrics/src/text.h"

namespace millrace::app_metrics::sentry {
namespace {

// Appends members and elements and knows where commas belong.
class Json {
 public:
  explicit Json(std::string& out) : out_(out) {}
  Json& Open(char bracket) {
    Comma();
    out_ += bracket;
    first_ = true;
    return *this;
  }
  Json& Close(char bracket) {
    out_ += bracket;
    first_ = false;
    return *this;
  }
  Json& Key(std::string_view key) {
    Comma();
    AppendJsonString(out_, key);
    out_ += ':';
    first_ = true;
    return *this;
  }
  Json& Text(std::string_view value) {
    Comma();
    AppendJsonString(out_, value);
    return *this;
  }
  Json& Raw(std::string_view value) {
    Comma();
    out_ += value;
    return *this;
  }
  Json& Member(std::string_view key, std::string_view value) { return Key(key).Text(value); }
  Json& MemberIf(std::string_view key, std::string_view value) {
    return value.empty() ? *this : Member(key, value);
  }

 private:
  void Comma() {
    if (!first_) out_ += ',';
    first_ = false;
  }
  std::string& out_;
  bool first_ = true;
};

std::string Hex(std::uint64_t v) {
  std::array<char, 20> text{};
  const auto r = std::to_chars(text.data(), text.data() + text.size(), v, 16);
  return "0x" + std::string(text.data(), r.ptr);
}

std::string Seconds(double v) {
  std::array<char, 40> text{};
  const auto r =
      std::to_chars(text.data(), text.data() + text.size(), v, std::chars_format::fixed, 3);
  return {text.data(), r.ptr};
}

// The GUID that Sentry computes from a build id: its first 16 bytes, the leading three fields in
// little-endian order.
std::string DebugId(std::string_view code_id) {
  if (code_id.size() < 32) return {};
  static constexpr std::array<int, 16> kOrder = {3, 2, 1,  0,  5,  4,  7,  6,
                                                 8, 9, 10, 11, 12, 13, 14, 15};
  std::string id;
  for (std::size_t i = 0; i < kOrder.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) id += '-';
    id += code_id.substr(static_cast<std::size_t>(kOrder[i]) * 2, 2);
  }
  return id;
}

bool InApp(const Frame& f, std::string_view executable) {
  return f.module == executable && !f.function.starts_with("std::") &&
         !f.function.starts_with("httplib::") && !f.function.starts_with("__") &&
         f.function.find("millrace::app_metrics::") == std::string::npos;
}

void WriteFrames(Json& j, const std::vector<Frame>& frames, std::string_view executable) {
  j.Key("stacktrace").Open('{').Key("frames").Open('[');
  // The protocol wants the oldest call first.
  for (auto f = frames.rbegin(); f != frames.rend(); ++f) {
    j.Open('{').MemberIf("function", f->function.substr(0, 500));
    if (!f->file.empty()) {
      const auto slash = f->file.rfind('/');
      j.Member("filename", slash == std::string::npos ? f->file : f->file.substr(slash + 1));
      j.Member("abs_path", f->file).Key("lineno").Raw(std::to_string(f->line));
    }
    j.MemberIf("package", f->module).Member("instruction_addr", Hex(f->address));
    j.Key("in_app").Raw(InApp(*f, executable) ? "true" : "false").Close('}');
  }
  j.Close(']').Close('}');
}

void WriteImages(Json& j, const std::vector<Image>& images) {
  j.Key("debug_meta").Open('{').Key("images").Open('[');
  for (const Image& i : images) {
    j.Open('{').Member("type", "elf").Member("code_file", i.path);
    j.MemberIf("code_id", i.code_id).MemberIf("debug_id", DebugId(i.code_id));
    j.Member("image_addr", Hex(i.begin)).Key("image_size").Raw(std::to_string(i.end - i.begin));
    j.Close('}');
  }
  j.Close(']').Close('}');
}

void WriteRequest(Json& j, const Event& e) {
  if (!e.method.empty())
    j.Key("request").Open('{').Member("method", e.method).Member("url", e.url).Close('}');
  if (!e.user_id.empty() || !e.client_ip.empty())
    j.Key("user")
        .Open('{')
        .MemberIf("id", e.user_id)
        .MemberIf("ip_address", e.client_ip)
        .Close('}');
  if (!e.trace_id.empty()) {
    j.Key("contexts").Open('{').Key("trace").Open('{').Member("type", "trace");
    j.Member("trace_id", e.trace_id).MemberIf("span_id", e.span_id).Close('}').Close('}');
  }
}

std::string ToJson(const Event& e, const EventDefaults& d) {
  std::string out;
  Json j(out);
  std::vector<Frame> frames = e.frames.empty() ? Symbolize(e.addresses) : e.frames;
  const std::vector<Image> images = frames.empty() ? std::vector<Image>() : LoadedImages();
  const std::string executable = images.empty() ? std::string() : images.front().path;
  // The loader knows the executable by the name it was called with, which may be relative.
  for (Frame& f : frames)
    if (e.frames.empty() && f.address >= images.front().begin && f.address < images.front().end)
      f.module = executable;
  j.Open('{').Member("event_id", e.id).Key("timestamp").Raw(Seconds(e.unix_seconds));
  j.Member("platform", "native").Member("level", e.level).Member("logger", "millrace");
  j.MemberIf("server_name", d.server_name).MemberIf("release", d.release);
  j.MemberIf("environment", d.environment).MemberIf("transaction", e.transaction);
  if (e.exception_type.empty()) {
    j.Key("message").Open('{').Member("formatted", e.message).Close('}');
    if (!frames.empty()) {
      j.Key("threads").Open('{').Key("values").Open('[').Open('{');
      j.Key("current").Raw("true");
      WriteFrames(j, frames, executable);
      j.Close('}').Close(']').Close('}');
    }
  } else {
    j.Key("exception").Open('{').Key("values").Open('[').Open('{');
    j.Member("type", e.exception_type).Member("value", e.exception_value);
    j.Key("mechanism").Open('{').Member("type", e.mechanism);
    j.Key("handled").Raw(e.handled ? "true" : "false").Close('}');
    if (!frames.empty()) WriteFrames(j, frames, executable);
    j.Close('}').Close(']').Close('}');
  }
  if (!images.empty()) WriteImages(j, images);
  WriteRequest(j, e);
  j.Key("tags").Open('{');
  for (const auto& [key, value] : d.tags) j.Member(key, value);
  j.MemberIf("request_id", e.request_id).Close('}');
  if (!e.extra.empty()) {
    j.Key("extra").Open('{');
    for (const auto& [key, value] : e.extra) j.Member(key, value);
    j.Close('}');
  }
  j.Key("breadcrumbs").Open('{').Key("values").Open('[');
  for (const Crumb& c : e.crumbs) {
    j.Open('{').Key("timestamp").Raw(Seconds(c.unix_seconds)).Member("category", c.category);
    j.Member("message", c.text).Close('}');
  }
  j.Close(']').Close('}').Close('}');
  return out;
}

std::string Now() {
  char text[24];
  WriteTime(text, std::chrono::duration_cast<std::chrono::milliseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count());
  return {text, sizeof text};
}

}  // namespace

std::string NewEventId() {
  std::string id(32, '0');
  WriteHex16(id.data(), Random64());
  WriteHex16(id.data() + 16, Random64());
  return id;
}

std::string ToEnvelope(const Event& event, const EventDefaults& defaults) {
  const std::string payload = ToJson(event, defaults);
  std::string out;
  Json header(out);
  header.Open('{').Member("event_id", event.id).Member("sent_at", Now());
  header.Member("dsn", defaults.dsn).Key("sdk").Open('{').Member("name", "millrace.app_metrics");
  header.Member("version", "0.1.0").Close('}').Close('}');
  out += '\n';
  Json item(out);
  item.Open('{').Member("type", "event").Member("content_type", "application/json");
  item.Key("length").Raw(std::to_string(payload.size())).Close('}');
  out += '\n';
  out += payload;
  out += '\n';
  return out;
}

}  // namespace millrace::app_metrics::sentry
