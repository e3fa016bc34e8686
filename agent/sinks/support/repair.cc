#include "agent/sinks/support/repair.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "common/base/fd.h"

namespace millrace::agent {
namespace {

/// The file, mapped: a walk over the frames touches little of it.
class Mapped {
 public:
  static Result<Mapped> Open(int fd, std::size_t size) {
    void* p = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED) return FailErrno("mmap", errno);
    return Mapped(p, size);
  }
  Mapped(Mapped&& o) noexcept : p_(std::exchange(o.p_, nullptr)), size_(o.size_) {}
  Mapped& operator=(Mapped&&) = delete;
  ~Mapped() {
    if (p_ != nullptr) ::munmap(p_, size_);
  }
  [[nodiscard]] std::string_view bytes() const { return {static_cast<const char*>(p_), size_}; }

 private:
  Mapped(void* p, std::size_t size) : p_(p), size_(size) {}
  void* p_;
  std::size_t size_;
};

/// Where to cut, and what to put there.
struct Plan {
  std::uint64_t keep = 0;
  std::string tail;
};

/// RFC 8878, section 3.1.1: the size of a frame's header, or nothing if it is torn, is not a frame
/// or has a checksum or a dictionary, which this sink's frames never have.
std::optional<std::size_t> ZstdHeaderSize(std::string_view frame) {
  if (frame.size() < 5) return std::nullopt;
  const auto descriptor = static_cast<unsigned char>(frame[4]);
  if (!frame.starts_with("\x28\xB5\x2F\xFD") || (descriptor & 0x07) != 0) return std::nullopt;
  const bool single = (descriptor & 0x20) != 0;
  static constexpr std::size_t kContentSize[] = {0, 2, 4, 8};
  const unsigned flag = descriptor >> 6;
  const std::size_t size =
      5 + (single ? 0U : 1U) + (flag == 0 ? (single ? 1U : 0U) : kContentSize[flag]);
  if (frame.size() < size) return std::nullopt;
  return size;
}

/// `frame` is torn. Finds the last block behind which the text ends with a line feed.
std::optional<Plan> PlanZstdFrame(std::string_view frame) {
  const std::optional<std::size_t> header = ZstdHeaderSize(frame);
  // A write that was torn within the header: nothing of the frame can be read.
  if (!header) {
    static constexpr std::string_view kMagic = "\x28\xB5\x2F\xFD";
    if (frame.size() < 18 && frame.substr(0, 4) == kMagic.substr(0, frame.size())) return Plan{};
    return std::nullopt;
  }
  const std::unique_ptr<ZSTD_DCtx, decltype(&ZSTD_freeDCtx)> context(ZSTD_createDCtx(),
                                                                     &ZSTD_freeDCtx);
  const auto chunk = std::make_unique<char[]>(ZSTD_DStreamOutSize());
  Plan plan;
  std::size_t at = 0, next = *header;
  char last = '\n';
  for (;;) {
    ZSTD_inBuffer in{frame.data() + at, next - at, 0};
    for (;;) {
      ZSTD_outBuffer out{chunk.get(), ZSTD_DStreamOutSize(), 0};
      if (ZSTD_isError(ZSTD_decompressStream(context.get(), &out, &in)) != 0) return plan;
      if (out.pos > 0) last = chunk[out.pos - 1];
      if (in.pos == in.size && out.pos < out.size) break;
    }
    at = next;
    if (last == '\n' && at > *header) {
      plan.keep = at;
      plan.tail.assign("\x01\x00\x00", 3);  // a last block, raw, of no bytes
    }
    if (at + 3 > frame.size()) return plan;
    const auto byte = [&](std::size_t i) {
      return static_cast<std::size_t>(static_cast<unsigned char>(frame[at + i]));
    };
    const std::size_t block = byte(0) | byte(1) << 8 | byte(2) << 16;
    next = at + 3 + ((block >> 1 & 3) == 1 ? 1 : block >> 3);
    if (next > frame.size()) return plan;
  }
}

/// Nothing: the file is not this sink's. A plan that keeps everything: it is complete.
std::optional<Plan> PlanZstd(std::string_view file) {
  std::size_t at = 0;
  while (at < file.size()) {
    const std::size_t n = ZSTD_findFrameCompressedSize(file.data() + at, file.size() - at);
    if (ZSTD_isError(n) != 0) {
      std::optional<Plan> plan = PlanZstdFrame(file.substr(at));
      if (plan) plan->keep += at;
      return plan;
    }
    at += n;
  }
  return Plan{file.size(), {}};
}

std::optional<Plan> PlanGzip(std::string_view file) {
  z_stream s{};
  if (inflateInit2(&s, 15 + 16) != Z_OK) return std::nullopt;
  const std::unique_ptr<z_stream, decltype(&inflateEnd)> end(&s, &inflateEnd);
  const auto chunk = std::make_unique<unsigned char[]>(64 * 1024);
  Plan plan;
  std::size_t member = 0;  // where it starts
  uLong crc = crc32(0, nullptr, 0);
  std::uint64_t length = 0;
  char last = '\n';
  const auto consumed = [&] { return static_cast<std::size_t>(s.total_in) + member; };
  s.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(file.data()));
  // zlib counts what is left in 32 bits.
  const auto refill = [&] {
    s.avail_in = static_cast<uInt>(std::min<std::size_t>(file.size() - consumed(), 1U << 30));
  };
  for (;;) {
    if (s.avail_in == 0) refill();
    s.next_out = chunk.get();
    s.avail_out = 64 * 1024;
    const int r = inflate(&s, Z_BLOCK);
    const std::size_t n = 64 * 1024 - s.avail_out;
    crc = crc32(crc, chunk.get(), static_cast<uInt>(n));
    length += n;
    if (n > 0) last = static_cast<char>(chunk[n - 1]);
    if (r == Z_STREAM_END) {
      member = consumed();
      plan = {member, {}};
      crc = crc32(0, nullptr, 0);
      length = 0;
      last = '\n';
      if (member == file.size()) return plan;
      unsigned char* const next = s.next_in;
      inflateReset(&s);
      s.next_in = next;
      refill();
      continue;
    }
    if (r != Z_OK && r != Z_BUF_ERROR) {
      // The first bytes are not gzip at all: somebody else's file.
      if (consumed() == 0 || (member == 0 && plan.keep == 0 && r == Z_DATA_ERROR))
        return std::nullopt;
      return plan;
    }
    // Bit 7: behind a block; bits 0-2: unused bits of the last byte; bit 6: it was the last block.
    if ((s.data_type & 0xC0) == 0x80 && (s.data_type & 7) == 0 && last == '\n' && length > 0) {
      plan.keep = consumed();
      plan.tail.assign("\x03\x00", 2);  // a last block, fixed codes, of no bytes
      for (unsigned i = 0; i < 32; i += 8) plan.tail += static_cast<char>(crc >> i & 0xFF);
      for (unsigned i = 0; i < 32; i += 8) plan.tail += static_cast<char>(length >> i & 0xFF);
    }
    if (r == Z_BUF_ERROR || (s.avail_in == 0 && consumed() == file.size() && n == 0)) return plan;
  }
}

Result<Repair> Carry(int fd, std::uint64_t size, const std::optional<Plan>& plan) {
  if (!plan) return Repair{.foreign = true};
  Repair done;
  if (plan->keep == size && plan->tail.empty()) return done;
  done.cut = size - plan->keep;
  if (::ftruncate(fd, static_cast<off_t>(plan->keep)) != 0) return FailErrno("truncate", errno);
  if (!plan->tail.empty()) {
    if (::lseek(fd, 0, SEEK_END) < 0) return FailErrno("seek", errno);
    MILLRACE_TRY(WriteAll(fd, plan->tail));
    done.completed = true;
  }
  return done;
}

Result<Repair> RepairPlain(int fd, std::uint64_t size, bool ours) {
  char chunk[4096];
  std::uint64_t end = size;
  while (end > 0) {
    const std::uint64_t start = end > sizeof chunk ? end - sizeof chunk : 0;
    const ssize_t n = ::pread(fd, chunk, end - start, static_cast<off_t>(start));
    if (n < 0) return FailErrno("read", errno);
    if (static_cast<std::uint64_t>(n) != end - start)
      return Fail(ErrorCode::kUnavailable, "the file shrank while it was read");
    const std::string_view text(chunk, static_cast<std::size_t>(n));
    const std::size_t feed = text.rfind('\n');
    if (feed != std::string_view::npos) {
      end = start + feed + 1;
      break;
    }
    end = start;
    if (!ours) break;
  }
  if (end == size) return Repair{};
  if (!ours) return Carry(fd, size, Plan{size, "\n"});
  return Carry(fd, size, Plan{end, {}});
}

}  // namespace

Result<Repair> RepairTail(int fd, Compression kind, bool ours) {
  struct stat st{};
  if (::fstat(fd, &st) != 0) return FailErrno("stat", errno);
  const auto size = static_cast<std::uint64_t>(st.st_size);
  if (size == 0 || !S_ISREG(st.st_mode)) return Repair{};
  if (kind == Compression::kNone) return RepairPlain(fd, size, ours);
  MILLRACE_ASSIGN(const Mapped map, Mapped::Open(fd, size));
  return Carry(fd, size,
               kind == Compression::kZstd ? PlanZstd(map.bytes()) : PlanGzip(map.bytes()));
}

}  // namespace millrace::agent
