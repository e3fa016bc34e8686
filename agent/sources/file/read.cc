// FileSource: from a file to the output.
#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <sys/uio.h>

#include "agent/core/name.h"
#include "agent/sources/file/file_source.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// Larger blocks were not faster and cost memory in every queue: see docs/performance.md.
constexpr std::size_t kBlock = 64 * 1024;
/// A block that is known to hold little is made small.
constexpr std::size_t kMinBlock = 512;
/// Distance of the places noted in Tail::trail, and how many.
constexpr std::uint64_t kTrailStep = 32 * 1024;
constexpr std::size_t kTrailLength = 16;

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

bool FileSource::Open(Tail& tail) {
  if (tail.content == nullptr) {
    Fd fd(::open(tail.record.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    const int error = errno;
    Result<FileStat> stat = fd ? StatFd(fd.get()) : Fail(ErrorCode::kNotFound, "");
    if (!stat || stat->key != tail.record.file) {
      if (!fd && error != ENOENT) {
        read_errors_.Add();
        static log::Limit limit;
        if (limit.Pass())
          log::Warn("Cannot open a log file",
                    {{"file", tail.record.path}, {"error", std::string_view(::strerror(error))}});
        tail.pending = false;  // the next change or rescan tries again
        return false;
      }
      catalog_->PathChanged(tail);
      return false;
    }
    Result<std::unique_ptr<Content>> content = Content::Open(std::move(fd));
    if (!content) {
      read_errors_.Add();
      tail.pending = false;
      return false;
    }
    tail.content = std::move(*content);
  }
  if (!tail.framer) {
    // The content before our position must be the one we read; else this is another file in the
    // same inode.
    const Result<std::string> before =
        ReadBefore(*tail.content, tail.position, LineFramer::kRecent);
    const bool same = before ? AnchorOf(*before) == tail.anchor
                             : tail.copied && before.error().code == ErrorCode::kNotFound;
    if (!same || !BeginsAsBefore(tail)) {
      catalog_->ContentReplaced(tail);
      return false;
    }
    // What the checkpoint did not have yet of a file that was short.
    const std::uint64_t known = std::min<std::uint64_t>(tail.position, config_.fingerprint.bytes);
    if (tail.record.fingerprint.length < known) {
      std::string head(known, '\0');
      const Result<std::size_t> n = ReadFully(*tail.content, head, 0);
      if (n && *n == known && tail.record.fingerprint.Matches(head))
        tail.record.fingerprint = Fingerprint::Of(head);
    }
    tail.framer = std::make_unique<LineFramer>(framing_, tail.position,
                                               before ? std::string_view(*before) : "");
  }
  tail.last_data = Clock::now();
  open_.insert(&tail);
  return true;
}

bool FileSource::BeginsAsBefore(Tail& tail) {
  const Fingerprint& fingerprint = tail.record.fingerprint;
  if (tail.packed()) return true;  // its data is checked by its format; going back is dear
  std::string head(fingerprint.length, '\0');
  const Result<std::size_t> n = ReadFully(*tail.content, head, 0);
  return n && fingerprint.Matches(std::string_view(head).substr(0, *n));
}

void FileSource::CloseFile(Tail& tail) {
  if (tail.framer) {
    tail.position = tail.framer->line_start();
    tail.anchor = AnchorOf(tail.framer->before());
    tail.framer.reset();  // an unfinished line is read again
  }
  tail.content.reset();
  open_.erase(&tail);
}

Result<std::size_t> FileSource::Fill(Tail& tail, std::size_t want, bool& replaced) {
  LineFramer& framer = *tail.framer;
  if (tail.packed()) {
    const std::span<char> room = framer.Prepare(want);
    MILLRACE_ASSIGN(const std::size_t n, tail.content->Read(room, framer.position()));
    GrowFingerprint(tail, {room.data(), n}, framer.position());
    framer.Commit(n);
    return n;
  }
  // The last bytes that were read are read again: if they differ, the file was truncated and has
  // grown past our position since, which its size does not tell.
  const std::string recent = framer.Recent();
  std::array<char, LineFramer::kRecent> again{};
  const std::span<char> room = framer.Prepare(want);
  const std::array<iovec, 2> parts = {iovec{again.data(), recent.size()},
                                      iovec{room.data(), room.size()}};
  const auto offset = static_cast<off_t>(framer.position() - recent.size());
  ssize_t n = 0;
  do n = ::preadv(tail.content->fd(), parts.data(), 2, offset);
  while (n < 0 && errno == EINTR);
  if (n < 0) return FailErrno("read", errno);
  const auto got = static_cast<std::size_t>(n);
  replaced = got < recent.size() || std::string_view(again.data(), recent.size()) != recent;
  // At the very beginning the fingerprint tells, if the file was looked at before.
  if (framer.position() == 0 && !tail.record.fingerprint.Matches({room.data(), got}))
    replaced = true;
  const std::size_t fresh = replaced ? 0 : got - recent.size();
  GrowFingerprint(tail, {room.data(), fresh}, framer.position());
  framer.Commit(fresh);
  return fresh;
}

FileSource::Step FileSource::Read(Tail& tail) {
  if (std::exchange(tail.suspect, false) && !tail.deleted) CloseFile(tail);
  const std::uint32_t wakes = tail.wakes;
  if ((tail.content == nullptr || !tail.framer) && !Open(tail)) return Step::kEnd;
  active_.insert(&tail);
  const bool packed = tail.packed();
  std::uint64_t left = UINT64_MAX;
  if (!packed) {
    const Result<FileStat> stat = StatFd(tail.content->fd());
    if (!stat) {
      tail.pending = false;
      return Step::kEnd;
    }
    tail.size = stat->size;
    tail.modified_ns = stat->modified_ns;
    if (stat->links == 0) tail.deleted = true;
    if (stat->size < tail.framer->position()) {
      if (!tail.copied) {
        open_.erase(&tail);
        catalog_->ContentReplaced(tail);
        return Step::kEnd;
      }
      AtEnd(tail);
      return Step::kEnd;
    } else {
      left = stat->size - tail.framer->position();
    }
  }
  std::uint64_t budget = config_.max_read_bytes.value;
  // Read even when the size says that there is nothing: truncated and grown to the very same size
  // is seen by its bytes only.
  do {
    const std::size_t want = std::clamp<std::uint64_t>(left, kMinBlock, kBlock);
    bool replaced = false;
    const Result<std::size_t> got = Fill(tail, want, replaced);
    if (replaced) {
      open_.erase(&tail);
      catalog_->ContentReplaced(tail);
      return Step::kEnd;
    }
    if (!got) {
      read_errors_.Add();
      static log::Limit limit;
      if (limit.Pass())
        log::Warn("Cannot read a log file", {{"file", tail.record.path}, {"error", got.error()}});
      tail.pending = false;
      if (packed) catalog_->Finished(tail);  // damaged: there is nothing behind the damage to have
      return Step::kEnd;
    }
    if (*got == 0) {
      left = 0;
      break;
    }
    tail.last_data = Clock::now();
    tail.record.finished = false;
    if (tail.framer->line_start() == 0 && ComesTooEarly(tail)) return Step::kMore;
    SendLines(tail);
    left = *got < want ? 0 : std::max<std::uint64_t>(left, *got + 1) - *got;
    budget -= std::min<std::uint64_t>(budget, *got);
  } while (left > 0 && budget > 0 && !stopped_);
  // A change that was told of in between may be of bytes that came after the last read.
  if (left > 0 || tail.wakes != wakes) return Step::kMore;
  AtEnd(tail);
  return Step::kEnd;
}

bool FileSource::ComesTooEarly(Tail& tail) {
  // Were names changed before these bytes were written? Then a generation that comes before them
  // may lie beside this file, unread. Asked for the first bytes of a file only; later ones are
  // known by those before them.
  constexpr std::uint8_t kAttempts = 3;
  if (!catalog_->DrainWatcher()) next_rescan_ = {};
  if (!catalog_->update_due() || tail.put_off++ >= kAttempts) return false;
  tail.framer.reset();
  return true;
}

void FileSource::AtEnd(Tail& tail) {
  tail.pending = false;
  tail.target = 0;
  if (tail.copied || tail.packed()) {
    if (!tail.content->complete()) {
      read_errors_.Add();
      log::Warn("A compressed log ends in the middle of its data",
                {{"file", tail.record.path}, {"read_up_to", tail.framer->position()}});
    }
    waiting_.erase(&tail);
    open_.erase(&tail);
    catalog_->Finished(tail);
    return;
  }
  const bool unfinished = tail.framer->line_start() < tail.framer->position();
  if (tail.rotated() || (unfinished && config_.partial_line_timeout.count() > 0))
    waiting_.insert(&tail);
  else if (open_.size() > config_.max_open_files)
    CloseFile(tail);
}

void FileSource::GrowFingerprint(Tail& tail, std::string_view bytes, std::uint64_t position) {
  Fingerprint& fingerprint = tail.record.fingerprint;
  const std::uint32_t length = fingerprint.length;
  if (length >= config_.fingerprint.bytes || length < position) return;
  const std::uint64_t known = length - position;
  if (known >= bytes.size()) return;
  fingerprint.Extend(bytes.substr(known, config_.fingerprint.bytes - length));
  // By doubling, so that a slow beginning does not write the checkpoint line by line.
  if (fingerprint.length < config_.fingerprint.bytes && fingerprint.length < 2 * tail.remembered)
    return;
  tail.remembered = fingerprint.length;
  catalog_->Remember(tail);
  catalog_->Flush();
}

void FileSource::SendLines(Tail& tail) {
  const std::int64_t now = WallNs();
  for (bool more = true; more && !stopped_;) {
    const std::uint64_t start = tail.framer->line_start();
    auto batch = std::make_unique<EventBatch>();
    more = tail.framer->Cut(*batch, now);
    if (tail.framer->line_start() == start) continue;
    sending_lines_ = true;
    Send(tail, std::move(batch));
    sending_lines_ = false;
  }
}

void FileSource::FinishLine(Tail& tail) {
  if (!tail.framer || stopped_ || tail.framer->line_start() == tail.framer->position()) return;
  auto batch = std::make_unique<EventBatch>();
  tail.framer->Finish(*batch, WallNs());
  Send(tail, std::move(batch));
}

void FileSource::Send(Tail& tail, std::unique_ptr<EventBatch> batch) {
  const LineFramer::Stats stats = tail.framer->TakeStats();
  if (stats.truncated > 0) truncated_lines_.Add(static_cast<double>(stats.truncated));
  if (stats.dropped > 0) dropped_lines_.Add(static_cast<double>(stats.dropped));
  const AckTracker::Mark end{tail.framer->line_start(), AnchorOf(tail.framer->before())};
  if (tail.trail.empty() || end.position >= tail.trail.back().position + kTrailStep) {
    if (tail.trail.size() >= kTrailLength) tail.trail.erase(tail.trail.begin());
    tail.trail.push_back(end);
  }
  auto token = std::make_shared<RangeAck>(tail.tracker, end);
  if (batch->empty()) {
    token->Settle();  // only dropped lines
    return;
  }
  batch->stream = tail.stream;
  batch->acks.push_back(std::move(token));
  // Names live as long as the process, values as long as the batch.
  if (!config_.file_key.empty()) {
    batch->arena.Adopt(tail.label);
    batch->AddCommon(Field::String(file_key_, {tail.label.data.get(), tail.label.size}));
  }
  if (!config_.host_key.empty()) {
    batch->arena.Adopt(host_);
    batch->AddCommon(Field::String(host_key_, {host_.data.get(), host_.size}));
  }
  batch->AddCommon(Field::String(names::kSourceType, "file"));
  if (!offset_key_.empty())
    for (std::size_t i = 0; i < batch->size(); ++i)
      batch->Set(i, Field::Int(offset_key_, static_cast<std::int64_t>(batch->event(i).position)));
  const auto events = static_cast<double>(batch->size());
  const auto bytes = static_cast<double>(batch->bytes);
  context_.metrics->received_events.Add(events);
  context_.metrics->received_bytes.Add(bytes);
  Status sent;
  {
    const StallGuard::Window window(*guard_);
    sent = out_->Send(std::move(batch));
  }
  if (!sent) {
    stopped_ = true;
    return;
  }
  context_.metrics->sent_events.Add(events);
  context_.metrics->sent_bytes.Add(bytes);
}

}  // namespace millrace::agent
