#include "agent/sinks/support/dead_letter.h"

#include <cerrno>
#include <chrono>

#include <dirent.h>
#include <fcntl.h>
#include <simdjson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/core/name.h"
#include "agent/encode/escape.h"
#include "agent/encode/value.h"
#include "agent/sinks/support/repair.h"
#include "common/base/strings.h"
#include "common/log/log.h"
#include "common/time/format.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kMaxExcerpt = 2048;
constexpr std::uint64_t kFilesInLimit = 8;

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

std::string Folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// Bytes of the file and of those that were renamed from it.
std::uint64_t TotalBytes(const std::string& path) {
  const std::string folder = Folder(path), name = path.substr(path.rfind('/') + 1);
  std::uint64_t total = 0;
  DIR* dir = ::opendir(folder.c_str());
  if (dir == nullptr) return 0;
  while (const dirent* entry = ::readdir(dir)) {
    const std::string_view other = entry->d_name;
    if (other != name && !other.starts_with(name + ".")) continue;
    struct stat st{};
    if (::stat((folder + "/" + entry->d_name).c_str(), &st) == 0 && S_ISREG(st.st_mode))
      total += static_cast<std::uint64_t>(st.st_size);
  }
  ::closedir(dir);
  return total;
}

void Pair(Buffer& out, std::string_view name, std::string_view text) {
  out.Append(",\"");
  out.Append(name);
  out.Append("\":\"");
  AppendEscaped(out, text);
  out.Append('"');
}

}  // namespace

void Visit(config::Visitor& v, DeadLetterConfig& c) {
  v.Field(
      "path", c.path,
      "File for events that the target refuses for good, with the reason and the event; default: "
      "dead_letter.ndjson in the sink's folder under data_dir.");
  v.Field(
       "max_bytes", c.max_bytes,
       "All dead-letter files of the sink together. When they are full the sink waits: nothing is "
       "dropped in silence.")
      .Check([](const config::Bytes& b) {
        return b.value < 65536 ? std::string("must be at least 64KiB") : std::string();
      });
}

DeadLetters::DeadLetters(const DeadLetterConfig& config, const Context& context)
    : id_(context.id),
      path_(config.path.empty() ? context.data_dir + "/dead_letter.ndjson" : config.path),
      max_bytes_(config.max_bytes.value),
      bytes_gauge_(context.metrics->GetGauge("dead_letter_bytes", "Bytes of dead-letter files.")) {}

DeadLetters::~DeadLetters() = default;

DeadLetters::Batch DeadLetters::Start() const {
  Batch batch;
  batch.component_ = id_;
  return batch;
}

void DeadLetters::Batch::Add(const EventBatch& batch, const Event& event, const Refusal& refusal) {
  if (encoder_ == nullptr) encoder_ = MakeJsonEncoder({}, names::kTimestamp);
  out_.Append("{\"time\":\"");
  char* p = out_.Reserve(kMaxRfc3339);
  out_.CommitTo(WriteRfc3339(NowNs(), p));
  out_.Append('"');
  Pair(out_, "component_id", component_);
  Pair(out_, "reason", refusal.reason);
  out_.Append(",\"code\":");
  AppendInteger(out_, refusal.code);
  Pair(out_, "target", refusal.target);
  Pair(out_, "response", refusal.response.substr(0, kMaxExcerpt));
  Pair(out_, "id", refusal.id.empty() ? ToHex(batch.IdOf(event)) : std::string(refusal.id));
  // The JSON of the event has U+FFFD where bytes were not UTF-8: keep those bytes too.
  bool first = true;
  ForEachField(batch, event, [&](const Field& f) {
    if (f.type != Type::kString || simdjson::validate_utf8(f.text().data(), f.text().size()))
      return;
    out_.Append(first ? ",\"base64\":{\"" : ",\"");
    first = false;
    AppendEscaped(out_, f.name());
    out_.Append("\":\"");
    out_.Append(Base64Encode(f.text()));
    out_.Append('"');
  });
  if (!first) out_.Append('}');
  out_.Append(",\"event\":");
  encoder_->Start(batch);
  encoder_->Append(event, out_);
  out_.Append("}\n");
  ++events_;
}

Status DeadLetters::OpenLocked() {
  MILLRACE_TRY(MakeDirectories(Folder(path_)));
  fd_ = Fd(::open(path_.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0600));
  if (!fd_) return FailErrno("open dead letters " + path_, errno);
  if (auto repaired = RepairTail(fd_.get(), Compression::kNone, true); !repaired) {
    fd_.Reset();
    return tl::make_unexpected(std::move(repaired).error());
  }
  struct stat st{};
  if (::fstat(fd_.get(), &st) != 0) return FailErrno("stat " + path_, errno);
  size_ = static_cast<std::uint64_t>(st.st_size);
  const Fd folder(::open(Folder(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!folder || ::fsync(folder.get()) != 0) return FailErrno("fsync " + Folder(path_), errno);
  return {};
}

Status DeadLetters::RotateLocked() {
  std::string stamp;
  const std::int64_t now = NowNs();
  static_cast<void>(AppendStrftime(stamp, "%Y%m%dT%H%M%S", now / 1'000'000'000));
  const std::string to = path_ + "." + stamp + "." + std::to_string(now % 1'000'000'000);
  if (::rename(path_.c_str(), to.c_str()) != 0) return FailErrno("rename " + path_, errno);
  fd_.Reset();
  return {};
}

Status DeadLetters::Commit(Batch& batch) {
  if (batch.out_.empty()) return {};
  const std::lock_guard lock(mu_);
  // Somebody may have moved the file away to replay it.
  struct stat now{}, ours{};
  if (fd_ && (::stat(path_.c_str(), &now) != 0 || ::fstat(fd_.get(), &ours) != 0 ||
              now.st_ino != ours.st_ino || now.st_dev != ours.st_dev))
    fd_.Reset();
  if (!fd_) MILLRACE_TRY(OpenLocked());
  total_ = TotalBytes(path_);
  if (total_ + batch.out_.size() > max_bytes_)
    return Fail(ErrorCode::kResourceExhausted,
                "dead letters " + path_ + " are full (" + std::to_string(total_) + " of " +
                    std::to_string(max_bytes_) + " bytes): replay or move the files away");
  if (size_ > 0 && size_ + batch.out_.size() > max_bytes_ / kFilesInLimit) {
    MILLRACE_TRY(RotateLocked());
    MILLRACE_TRY(OpenLocked());
  }
  Status written = WriteAll(fd_.get(), batch.out_.view());
  if (written && ::fdatasync(fd_.get()) != 0) written = FailErrno("fsync " + path_, errno);
  if (!written) {
    // Take the torn part back; the whole batch is written again.
    if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0) fd_.Reset();
    return written;
  }
  size_ += batch.out_.size();
  bytes_gauge_.Set(static_cast<double>(total_ + batch.out_.size()));
  batch.out_.clear();
  batch.events_ = 0;
  return {};
}

}  // namespace millrace::agent
