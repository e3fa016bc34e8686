// Decompression of bodies: zlib for gzip and deflate, libbrotlidec.
#include <array>

#include <brotli/decode.h>
#include <zlib.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/http/body.h"

namespace millrace::uptime_probe::web {
namespace {

/// What a decoder reads from: a first piece that is there already, then the body.
class Input {
 public:
  Input(std::unique_ptr<BodyReader> body, std::string first)
      : body_(std::move(body)), piece_(std::move(first)) {}
  /// The bytes not yet used; "" at the end of the body.
  Result<std::string_view> Get() {
    if (at_ == piece_.size()) {
      piece_.resize(16384);
      at_ = 0;
      auto n = body_->Read(piece_.data(), piece_.size());
      piece_.resize(n ? *n : 0);
      if (!n) return tl::make_unexpected(std::move(n).error());
    }
    return std::string_view(piece_).substr(at_);
  }
  void Use(std::size_t n) { at_ += n; }

 private:
  std::unique_ptr<BodyReader> body_;
  std::string piece_;
  std::size_t at_ = 0;
};

class ZlibBody final : public BodyReader {
 public:
  ZlibBody(Input input, bool gzip) : input_(std::move(input)), gzip_(gzip) {
    ready_ = inflateInit2(&z_, gzip ? 15 + 16 : -15) == Z_OK;
  }
  ~ZlibBody() override {
    if (ready_) inflateEnd(&z_);
  }
  ZlibBody(const ZlibBody&) = delete;
  ZlibBody& operator=(const ZlibBody&) = delete;

  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    if (!ready_) return Fail(ErrorCode::kParse, "invalid compressed data");
    if (done_) return std::size_t{0};
    z_.next_out = reinterpret_cast<Bytef*>(buffer);
    z_.avail_out = static_cast<uInt>(std::min<std::size_t>(size, 1U << 30));
    const uInt room = z_.avail_out;
    for (;;) {
      auto piece = input_.Get();
      if (!piece) return tl::make_unexpected(std::move(piece).error());
      if (between_members_) {
        // A gzip file may be several one behind the other (RFC 1952 2.2).
        if (piece->empty()) {
          done_ = true;
          return std::size_t{0};
        }
        between_members_ = false;
        inflateReset(&z_);
      }
      if (piece->empty()) return Fail(ErrorCode::kUnavailable, "unexpected EOF in compressed data");
      z_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(piece->data()));
      z_.avail_in = static_cast<uInt>(piece->size());
      const int r = inflate(&z_, Z_NO_FLUSH);
      input_.Use(piece->size() - z_.avail_in);
      const std::size_t made = room - z_.avail_out;
      if (r == Z_STREAM_END) {
        if (gzip_)
          between_members_ = true;
        else
          done_ = true;
        if (made > 0 || done_) return made;
        continue;
      }
      if (made > 0) {
        if (r != Z_OK && r != Z_BUF_ERROR) ready_ = Release();
        return made;
      }
      if (r != Z_OK && r != Z_BUF_ERROR) return Fail(ErrorCode::kParse, "invalid compressed data");
    }
  }

 private:
  /// Ends zlib after a fault that came behind good data: the next Read reports it.
  bool Release() {
    inflateEnd(&z_);
    return false;
  }
  Input input_;
  z_stream z_{};
  bool gzip_, ready_ = false, done_ = false, between_members_ = false;
};

class BrotliBody final : public BodyReader {
 public:
  explicit BrotliBody(Input input)
      : input_(std::move(input)), state_(BrotliDecoderCreateInstance(nullptr, nullptr, nullptr)) {}
  ~BrotliBody() override { BrotliDecoderDestroyInstance(state_); }
  BrotliBody(const BrotliBody&) = delete;
  BrotliBody& operator=(const BrotliBody&) = delete;

  Result<std::size_t> Read(char* buffer, std::size_t size) override {
    if (state_ == nullptr) return Fail(ErrorCode::kParse, "invalid compressed data");
    auto* out = reinterpret_cast<std::uint8_t*>(buffer);
    std::size_t room = size;
    for (;;) {
      if (BrotliDecoderIsFinished(state_) != 0) return size - room;
      std::string_view piece;
      if (BrotliDecoderHasMoreOutput(state_) == 0) {
        MILLRACE_ASSIGN(piece, input_.Get());
        if (piece.empty())
          return Fail(ErrorCode::kUnavailable, "unexpected EOF in compressed data");
      }
      const auto* in = reinterpret_cast<const std::uint8_t*>(piece.data());
      std::size_t left = piece.size();
      const auto r = BrotliDecoderDecompressStream(state_, &left, &in, &room, &out, nullptr);
      input_.Use(piece.size() - left);
      if (r == BROTLI_DECODER_RESULT_ERROR)
        return Fail(ErrorCode::kParse, "invalid compressed data");
      if (room < size) return size - room;
    }
  }

 private:
  Input input_;
  BrotliDecoderState* state_;
};

}  // namespace

Result<std::unique_ptr<BodyReader>> MakeDecoder(std::string_view algorithm,
                                                std::unique_ptr<BodyReader>& body) {
  const std::string name = ToLower(algorithm);
  if (name == "identity" || name.empty()) return std::move(body);
  if (name == "br") return std::make_unique<BrotliBody>(Input(std::move(body), ""));
  if (name == "deflate") return std::make_unique<ZlibBody>(Input(std::move(body), ""), false);
  if (name != "gzip") return Fail(ErrorCode::kInvalidArgument, "unsupported compression algorithm");
  std::string first(4096, '\0');
  auto n = body->Read(first.data(), first.size());
  if (!n) return tl::make_unexpected(std::move(n).error());
  first.resize(*n);
  if (first.empty()) return Fail(ErrorCode::kUnavailable, "EOF");
  if (!std::string_view(first).starts_with("\x1f\x8b\x08"))
    return Fail(ErrorCode::kParse, "gzip: invalid header");
  return std::make_unique<ZlibBody>(Input(std::move(body), std::move(first)), true);
}

}  // namespace millrace::uptime_probe::web
