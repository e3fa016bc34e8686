#include "common/http/http2_session.h"

#include <algorithm>
#include <array>

#include <nghttp2/nghttp2.h>

#include "common/base/strings.h"

namespace millrace::http {

struct Http2Session::Stream {
  std::string text;  ///< Names and values, one after another.
  struct Span {
    std::size_t name, name_size, value, value_size;
  };
  std::vector<Span> spans;
  std::vector<HeaderField> fields;  ///< Views into `text`, made when the request is complete.
  std::string_view method, target;
  std::string body;
  int status = 0;

  std::string answer;
  std::size_t sent = 0;
};

namespace {

/// The field names that HTTP/2 forbids; ours never set them but for Connection.
bool IsConnectionField(std::string_view name) {
  return EqualsIgnoreCase(name, "connection") || EqualsIgnoreCase(name, "keep-alive") ||
         EqualsIgnoreCase(name, "transfer-encoding");
}

nghttp2_nv Pair(std::string_view name, std::string_view value) {
  // nghttp2 copies both (no NO_COPY flag); its type lacks a const.
  const auto bytes = [](std::string_view s) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(s.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct Http2Session::Callbacks {
  static Http2Session& Self(void* user) { return *static_cast<Http2Session*>(user); }
  static Stream* Find(Http2Session& self, std::int32_t id) {
    const auto at = self.streams_.find(id);
    return at == self.streams_.end() ? nullptr : at->second.get();
  }

  static int OnBeginHeaders(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST)
      Self(user).streams_.emplace(frame->hd.stream_id, std::make_unique<Stream>());
    return 0;
  }

  static int OnHeader(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
    Http2Session& self = Self(user);
    Stream* s = Find(self, frame->hd.stream_id);
    if (s == nullptr || s->status != 0) return 0;
    if (s->text.size() + name_size + value_size > self.limits_.head_bytes ||
        s->spans.size() >= self.limits_.fields) {
      s->status = 431;
      return 0;
    }
    s->spans.push_back({s->text.size(), name_size, s->text.size() + name_size, value_size});
    s->text.append(name, name + name_size).append(value, value + value_size);
    return 0;
  }

  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                    std::size_t size, void* user) {
    Http2Session& self = Self(user);
    Stream* s = Find(self, id);
    if (s == nullptr || s->status != 0) return 0;
    if (s->body.size() + size > self.limits_.body_bytes)
      s->status = 413;
    else
      s->body.append(data, data + size);
    return 0;
  }

  static int OnFrame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool carries = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (!carries || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) == 0) return 0;
    Http2Session& self = Self(user);
    Stream* s = Find(self, frame->hd.stream_id);
    if (s == nullptr) return 0;
    for (const Stream::Span& f : s->spans) {
      const std::string_view all = s->text;
      const HeaderField field{all.substr(f.name, f.name_size), all.substr(f.value, f.value_size)};
      if (field.name == ":method")
        s->method = field.value;
      else if (field.name == ":path")
        s->target = field.value;
      else if (field.name == ":authority")
        s->fields.push_back({"host", field.value});
      else if (!field.name.starts_with(':'))
        s->fields.push_back(field);
    }
    self.ready_.push_back(frame->hd.stream_id);
    return 0;
  }

  static int OnStreamClose(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    Http2Session& self = Self(user);
    std::erase(self.ready_, id);
    self.streams_.erase(id);
    return 0;
  }

  static ssize_t ReadAnswer(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t room,
                            std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& s = *static_cast<Stream*>(source->ptr);
    const std::size_t n = std::min(room, s.answer.size() - s.sent);
    std::copy_n(s.answer.data() + s.sent, n, to);
    s.sent += n;
    if (s.sent == s.answer.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }
};

Http2Session::Http2Session(const Limits& limits) : limits_(limits) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, Callbacks::OnBeginHeaders);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, Callbacks::OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, Callbacks::OnData);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, Callbacks::OnFrame);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, Callbacks::OnStreamClose);
  nghttp2_option* option = nullptr;
  nghttp2_option_new(&option);
  // Floods of control frames end the connection (CVE-2019-9512 and its kin).
  nghttp2_option_set_max_outbound_ack(option, 100);
  nghttp2_session_server_new2(&session_, callbacks, this, option);
  nghttp2_option_del(option);
  nghttp2_session_callbacks_del(callbacks);
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.streams},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.head_bytes)}};
  nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings));
}

Http2Session::~Http2Session() { nghttp2_session_del(session_); }

bool Http2Session::Feed(std::string_view bytes) {
  const ssize_t n = nghttp2_session_mem_recv(
      session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return n == static_cast<ssize_t>(bytes.size());
}

Http2Session::Incoming Http2Session::Front() const {
  const Stream& s = *streams_.at(ready_.front());
  return {s.method, s.target, s.body, &s.fields, s.status};
}

void Http2Session::Respond(const Response& response) {
  const std::int32_t id = ready_.front();
  ready_.pop_front();
  Stream& s = *streams_.at(id);
  const bool head = s.method == "HEAD";
  const std::string_view content = response.content();
  if (!head) s.answer.assign(content);
  const std::string status = std::to_string(response.status);
  const std::string length = std::to_string(content.size());
  std::string lower(response.header_lines());
  std::vector<nghttp2_nv> fields = {Pair(":status", status), Pair("content-length", length)};
  for (std::size_t at = 0; at < lower.size();) {
    const std::size_t end = lower.find("\r\n", at);
    const std::size_t colon = lower.find(": ", at);
    std::transform(lower.begin() + static_cast<std::ptrdiff_t>(at),
                   lower.begin() + static_cast<std::ptrdiff_t>(colon),
                   lower.begin() + static_cast<std::ptrdiff_t>(at),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    const std::string_view all = lower;
    if (!IsConnectionField(all.substr(at, colon - at)))
      fields.push_back(Pair(all.substr(at, colon - at), all.substr(colon + 2, end - colon - 2)));
    at = end + 2;
  }
  nghttp2_data_provider provider{};
  provider.source.ptr = &s;
  provider.read_callback = Callbacks::ReadAnswer;
  nghttp2_submit_response(session_, id, fields.data(), fields.size(),
                          s.answer.empty() ? nullptr : &provider);
}

void Http2Session::TakeOutput(std::string& out, std::size_t limit) {
  while (out.size() < limit) {
    const std::uint8_t* data = nullptr;
    const ssize_t n = nghttp2_session_mem_send(session_, &data);
    if (n <= 0) return;
    out.append(data, data + n);
  }
}

bool Http2Session::WantsOutput() const { return nghttp2_session_want_write(session_) != 0; }

bool Http2Session::Finished() const {
  return nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0;
}

void Http2Session::GoAway() {
  nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE,
                        nghttp2_session_get_last_proc_stream_id(session_), NGHTTP2_NO_ERROR,
                        nullptr, 0);
}

}  // namespace millrace::http
