#include "exporters/uptime_probe/http/http2.h"

#include <algorithm>
#include <array>
#include <cstring>

#include <fmt/format.h>
#include <nghttp2/nghttp2.h>

#include "common/base/strings.h"

namespace millrace::uptime_probe::web {
namespace {

constexpr std::size_t kMaxHeadBytes = std::size_t{1} << 20;

struct SessionDeleter {
  void operator()(nghttp2_session* s) const { nghttp2_session_del(s); }
};

}  // namespace

struct Http2Exchange::State {
  explicit State(std::unique_ptr<Stream> s) : stream(std::move(s)) {}

  std::unique_ptr<Stream> stream;
  std::unique_ptr<nghttp2_session, SessionDeleter> session;
  std::int32_t id = -1;
  std::string request_body;
  std::size_t sent = 0;
  Headers head, trailers;
  std::size_t head_bytes = 0;
  int status = 0;
  bool head_done = false, ended = false, closed = false, too_long = false;
  std::uint32_t close_code = 0;
  Clock::time_point first_byte{};
  std::string data;  // received, not yet read
  std::size_t data_at = 0;

  static State& Of(void* user) { return *static_cast<State*>(user); }

  static ssize_t OnSendBody(nghttp2_session* /*session*/, std::int32_t /*id*/, std::uint8_t* out,
                            std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                            void* /*user*/) {
    State& s = *static_cast<State*>(source->ptr);
    const std::size_t n = std::min(size, s.request_body.size() - s.sent);
    std::memcpy(out, s.request_body.data() + s.sent, n);
    s.sent += n;
    if (s.sent == s.request_body.size()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    return static_cast<ssize_t>(n);
  }

  static int OnHeader(nghttp2_session* /*session*/, const nghttp2_frame* frame,
                      const std::uint8_t* name, std::size_t name_size, const std::uint8_t* value,
                      std::size_t value_size, std::uint8_t /*flags*/, void* user) {
    State& s = Of(user);
    if (frame->hd.stream_id != s.id) return 0;
    s.head_bytes += name_size + value_size + 32;
    if (s.head_bytes > kMaxHeadBytes) {
      s.too_long = true;
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    const std::string_view key(reinterpret_cast<const char*>(name), name_size);
    const std::string_view text(reinterpret_cast<const char*>(value), value_size);
    if (s.head_done) {
      s.trailers.Add(key, text);
    } else if (key == ":status") {
      s.status = ParseNumber<int>(text).value_or(0);
    } else {
      s.head.Add(key, text);
    }
    return 0;
  }

  static int OnFrame(nghttp2_session* /*session*/, const nghttp2_frame* frame, void* user) {
    State& s = Of(user);
    if (frame->hd.stream_id != s.id) return 0;
    if (frame->hd.type == NGHTTP2_HEADERS && !s.head_done) {
      if (s.first_byte == Clock::time_point{}) s.first_byte = Clock::now();
      if (s.status >= 200) {
        s.head_done = true;
      } else {
        s.head = {};
      }
    }
    if ((frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) s.ended = true;
    return 0;
  }

  static int OnData(nghttp2_session* /*session*/, std::uint8_t /*flags*/, std::int32_t stream_id,
                    const std::uint8_t* bytes, std::size_t size, void* user) {
    State& s = Of(user);
    if (stream_id == s.id) s.data.append(reinterpret_cast<const char*>(bytes), size);
    return 0;
  }

  static int OnClose(nghttp2_session* /*session*/, std::int32_t stream_id, std::uint32_t code,
                     void* user) {
    State& s = Of(user);
    if (stream_id == s.id) {
      s.closed = true;
      s.close_code = code;
    }
    return 0;
  }
};

Http2Exchange::Http2Exchange(std::unique_ptr<Stream> stream)
    : state_(std::make_unique<State>(std::move(stream))) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &State::OnHeader);
  nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &State::OnFrame);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &State::OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &State::OnClose);
  nghttp2_session* session = nullptr;
  nghttp2_session_client_new(&session, callbacks, state_.get());
  nghttp2_session_callbacks_del(callbacks);
  state_->session.reset(session);
}

Http2Exchange::~Http2Exchange() = default;

Status Http2Exchange::Flush() {
  std::string out;
  for (;;) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t n = nghttp2_session_mem_send(state_->session.get(), &bytes);
    if (n < 0) return Fail(ErrorCode::kUnavailable, nghttp2_strerror(static_cast<int>(n)));
    if (n == 0) break;
    out.append(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(n));
  }
  return out.empty() ? Status() : state_->stream->Write(out);
}

Status Http2Exchange::Receive() {
  MILLRACE_TRY(Flush());
  std::array<char, 16384> buffer{};
  MILLRACE_ASSIGN(const std::size_t n, state_->stream->Read(buffer.data(), buffer.size()));
  if (n == 0) return Fail(ErrorCode::kUnavailable, "unexpected EOF");
  const ssize_t used = nghttp2_session_mem_recv(
      state_->session.get(), reinterpret_cast<const std::uint8_t*>(buffer.data()), n);
  if (state_->too_long) return Fail(ErrorCode::kResourceExhausted, "response head too long");
  if (used < 0) return Fail(ErrorCode::kParse, nghttp2_strerror(static_cast<int>(used)));
  // Acknowledgements and window updates; a peer that is already gone is noticed by the next read.
  (void)Flush();
  if (nghttp2_session_want_read(state_->session.get()) == 0 && !state_->closed && !state_->ended)
    return Fail(ErrorCode::kUnavailable, "the server closed the HTTP/2 connection");
  return {};
}

Status Http2Exchange::Send(const Fields& fields, std::string body) {
  State& s = *state_;
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(kMaxHeadBytes)}};
  nghttp2_submit_settings(s.session.get(), NGHTTP2_FLAG_NONE, settings, std::size(settings));
  std::vector<nghttp2_nv> list;
  list.reserve(fields.size());
  for (const auto& [name, value] : fields)
    list.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                    reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                    value.size(), NGHTTP2_NV_FLAG_NONE});
  s.request_body = std::move(body);
  nghttp2_data_provider provider{};
  provider.source.ptr = &s;
  provider.read_callback = &State::OnSendBody;
  s.id = nghttp2_submit_request(s.session.get(), nullptr, list.data(), list.size(),
                                s.request_body.empty() ? nullptr : &provider, nullptr);
  if (s.id < 0) return Fail(ErrorCode::kInvalidArgument, nghttp2_strerror(s.id));
  return Flush();
}

Status Http2Exchange::WaitHead() {
  while (!state_->head_done) {
    if (state_->closed)
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("stream reset: {}", nghttp2_http2_strerror(state_->close_code)));
    MILLRACE_TRY(Receive());
  }
  return {};
}

Result<std::size_t> Http2Exchange::Read(char* buffer, std::size_t size) {
  State& s = *state_;
  while (s.data_at == s.data.size()) {
    s.data.clear();
    s.data_at = 0;
    if (s.ended) return std::size_t{0};
    if (s.closed)
      return Fail(ErrorCode::kUnavailable,
                  fmt::format("stream reset: {}", nghttp2_http2_strerror(s.close_code)));
    MILLRACE_TRY(Receive());
  }
  const std::size_t n = std::min(size, s.data.size() - s.data_at);
  std::memcpy(buffer, s.data.data() + s.data_at, n);
  s.data_at += n;
  return n;
}

int Http2Exchange::status() const { return state_->status; }
const Headers& Http2Exchange::headers() const { return state_->head; }
const Headers& Http2Exchange::trailers() const { return state_->trailers; }
bool Http2Exchange::ended() const { return state_->ended && state_->data.empty(); }
Clock::time_point Http2Exchange::first_byte() const { return state_->first_byte; }

}  // namespace millrace::uptime_probe::web
