#include "agent/sinks/file/file_sink.h"

#include <algorithm>
#include <cerrno>
#include <functional>
#include <unordered_map>

#include <unistd.h>

#include "agent/core/template.h"
#include "agent/sinks/file/output_file.h"
#include "agent/sinks/file/owned_files.h"
#include "agent/sinks/support/retry.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

using Clock = std::chrono::steady_clock;

/// One write of this size costs next to nothing a byte; more only delays.
constexpr std::size_t kFlushAt = std::size_t{256} << 10;
/// Views waiting for an fsync pin their batches: beyond this the fsync comes early.
constexpr std::size_t kMaxHeld = std::size_t{8} << 20;

class FileSink final : public Sink {
 public:
  FileSink(const FileSinkConfig& config, const Context& context, Template path)
      : config_(config),
        id_(context.id),
        data_dir_(context.data_dir),
        path_(std::move(path)),
        metrics_(context.metrics),
        encoder_(MakeEncoder(config.encoding)),
        open_gauge_(metrics_->GetGauge("file_sink_open_files", "Files open for writing.")),
        confined_(metrics_->GetCounter("template_values_changed_total",
                                       "Events whose name had characters replaced or was cut.")),
        fallback_(metrics_->GetCounter("template_fallbacks_total",
                                       "Events whose name has the fallback for a missing field.")) {
    options_.compression = config.compression;
    options_.level = config.compression_level;
    // Many files at once: a smaller window each.
    options_.window_log = path_.constant() ? 19 : 17;
    options_.rotate_bytes = config.rotate.max_bytes.value;
    options_.rotate_interval =
        std::chrono::duration_cast<std::chrono::seconds>(config.rotate.interval.value);
    options_.keep = config.rotate.keep;
    options_.mode = ParseNumber<unsigned>(config.mode, 8).value_or(0644);
  }

  Status Probe(std::chrono::milliseconds /*timeout*/) override {
    // The folder of the literal part, or the nearest one above it that exists.
    std::string folder = path_.prefix().substr(0, path_.prefix().rfind('/') + 1);
    if (folder.empty()) folder = ".";
    while (folder.size() > 1 && ::access(folder.c_str(), F_OK) != 0) {
      folder.pop_back();
      folder.resize(folder.rfind('/') + 1);
      if (folder.empty()) folder = ".";
    }
    if (::access(folder.c_str(), W_OK | X_OK) != 0)
      return FailErrno("write to folder " + folder, errno);
    return {};
  }

  Status Run(SinkInput& in, std::stop_token stop) override {
    owned_ = std::make_unique<OwnedFiles>(data_dir_);
    const Status status = Loop(in, stop);
    for (auto& [path, file] : files_) {
      std::uint64_t written = 0;
      if (Status s = file->Finish(written); !s && status)
        log::Warn("Cannot complete a file", {{"component_id", id_}, {"error", s.error()}});
    }
    files_.clear();
    open_gauge_.Set(0);
    return status;
  }

 private:
  using Files = std::unordered_map<std::string, std::unique_ptr<OutputFile>>;

  Status Loop(SinkInput& in, const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      BatchView view;
      const SinkInput::Pop pop = in.Next(view, NextDeadline());
      if (pop == SinkInput::Pop::kItem) {
        metrics_->received_events.Add(static_cast<double>(view->size()));
        metrics_->received_bytes.Add(static_cast<double>(view->bytes));
        MILLRACE_TRY(Encode(*view, stop));
        held_bytes_ += view->Footprint();
        held_.push_back(std::move(view));
        if (pending_ < kFlushAt && !in.Empty()) continue;
      }
      const bool closed = pop == SinkInput::Pop::kClosed;
      MILLRACE_TRY(Flush(closed, stop));
      if (closed) return {};
      MILLRACE_TRY(CloseIdle(stop));
    }
    return {};
  }

  [[nodiscard]] Clock::time_point NextDeadline() const {
    Clock::time_point due = Clock::time_point::max();
    if (!held_.empty()) due = next_sync_;
    for (const auto& [path, file] : files_)
      due = std::min(due, file->last_used + config_.idle_timeout);
    return due;
  }

  Status Encode(const EventBatch& batch, const std::stop_token& stop) {
    encoder_->Start(batch);
    OutputFile* file = nullptr;
    double confined = 0, fallback = 0;
    for (const Event& e : batch.events()) {
      if (file == nullptr || !path_.constant()) {
        name_.clear();
        const Template::Outcome o = path_.Render(batch, e, config_.fallback, name_);
        confined += o.changed ? 1 : 0;
        fallback += o.missing ? 1 : 0;
        if (file == nullptr || file->path() != name_) {
          Status opened = WithRetry(stop, [&]() -> Status {
            MILLRACE_ASSIGN(file, FindOrOpen(name_, stop));
            return {};
          });
          MILLRACE_TRY(opened);
        }
      }
      Buffer& out = file->pending();
      const std::size_t before = out.size();
      encoder_->Append(e, out);
      out.Append('\n');
      pending_ += out.size() - before;
    }
    if (confined > 0) confined_.Add(confined);
    if (fallback > 0) fallback_.Add(fallback);
    return {};
  }

  Result<OutputFile*> FindOrOpen(const std::string& path, const std::stop_token& stop) {
    auto it = files_.find(path);
    // Twice at most: a file left by an earlier process may be due for rotation at once.
    for (int turn = 0; turn < 3; ++turn) {
      if (it == files_.end()) {
        if (files_.size() >= config_.max_open_files) MILLRACE_TRY(CloseOldest(stop));
        MILLRACE_ASSIGN(std::unique_ptr<OutputFile> opened,
                        OutputFile::Open(path, options_, *owned_));
        it = files_.emplace(path, std::move(opened)).first;
        open_gauge_.Set(static_cast<double>(files_.size()));
      }
      if (it->second->dirty()) break;
      const auto wall = std::chrono::system_clock::now();
      const OutputFile::Fate fate = it->second->Check(wall);
      if (fate == OutputFile::Fate::kStay) break;
      MILLRACE_TRY(CloseFile(*it->second, stop));
      if (fate == OutputFile::Fate::kRotate) MILLRACE_TRY(it->second->MoveAway(wall));
      files_.erase(it);
      it = files_.end();
    }
    if (it == files_.end())
      return Fail(ErrorCode::kUnavailable, path + " is moved away again and again");
    it->second->last_used = Clock::now();
    return it->second.get();
  }

  Status CloseFile(OutputFile& file, const std::stop_token& stop) {
    MILLRACE_TRY(WithRetry(stop, [&] { return file.Finish(written_); }));
    if (config_.fsync != FileSinkConfig::Fsync::kNever) return Sync(file);
    return {};
  }

  Status CloseOldest(const std::stop_token& stop) {
    const auto oldest = std::min_element(
        files_.begin(), files_.end(),
        [](const auto& a, const auto& b) { return a.second->last_used < b.second->last_used; });
    MILLRACE_TRY(CloseFile(*oldest->second, stop));
    files_.erase(oldest);
    return {};
  }

  Status CloseIdle(const std::stop_token& stop) {
    const auto now = Clock::now();
    for (auto it = files_.begin(); it != files_.end();) {
      if (now - it->second->last_used < config_.idle_timeout) {
        ++it;
        continue;
      }
      MILLRACE_TRY(CloseFile(*it->second, stop));
      it = files_.erase(it);
      open_gauge_.Set(static_cast<double>(files_.size()));
    }
    return {};
  }

  /// Makes everything encoded visible to readers, and settles what the fsync policy allows.
  Status Flush(bool last, const std::stop_token& stop) {
    for (auto& [path, file] : files_)
      if (file->dirty())
        MILLRACE_TRY(WithRetry(stop, [&f = *file, this] { return f.Flush(written_); }));
    pending_ = 0;
    if (held_.empty()) return {};
    if (config_.fsync != FileSinkConfig::Fsync::kNever) {
      const auto now = Clock::now();
      if (next_sync_ == Clock::time_point::max()) next_sync_ = now + config_.fsync_interval.value;
      if (config_.fsync == FileSinkConfig::Fsync::kInterval && !last && held_bytes_ < kMaxHeld &&
          now < next_sync_)
        return {};
      for (auto& [path, file] : files_) MILLRACE_TRY(Sync(*file));
      next_sync_ = Clock::time_point::max();
    }
    double events = 0;
    for (BatchView& v : held_) {
      events += static_cast<double>(v->size());
      v.Delivered();
    }
    held_.clear();
    held_bytes_ = 0;
    metrics_->sent_events.Add(events);
    metrics_->sent_bytes.Add(static_cast<double>(std::exchange(written_, 0)));
    return {};
  }

  /// After a failed fsync the kernel may have dropped the pages and a second fsync may "succeed":
  /// nothing that waits may be settled any more. The error ends the sink, and what is unsettled is
  /// repeated by the source.
  Status Sync(OutputFile& file) {
    Status s = file.Sync();
    if (!s) {
      metrics_->Errors("fsync_failed").Add();
      sync_failed_ = true;
    }
    return s;
  }

  /// Repeats `work` until it succeeds or the stop fires. Said once an outage.
  Status WithRetry(const std::stop_token& stop, const std::function<Status()>& work) {
    Backoff backoff(std::chrono::milliseconds(100), std::chrono::seconds(5));
    for (;;) {
      Status s = work();
      if (s) {
        if (backoff.failures() > 0)
          log::Info("Writing to files again",
                    {{"component_id", id_}, {"attempts", backoff.failures()}});
        return s;
      }
      if (s.error().code == ErrorCode::kCancelled || sync_failed_) return s;
      metrics_->Errors("write_failed").Add();
      if (backoff.failures() == 0)
        log::Error("Cannot write; the sink waits and tries again",
                   {{"component_id", id_}, {"error", s.error()}});
      if (!SleepFor(stop, backoff.Next()))
        return Fail(ErrorCode::kCancelled, "stopped while waiting to write: " + s.error().message);
    }
  }

  FileSinkConfig config_;
  std::string id_, data_dir_;
  Template path_;
  OutputFileOptions options_;
  std::shared_ptr<Metrics> metrics_;
  std::unique_ptr<Encoder> encoder_;
  Gauge open_gauge_;
  Counter confined_, fallback_;
  std::unique_ptr<OwnedFiles> owned_;
  Files files_;
  std::string name_;
  std::vector<BatchView> held_;
  std::size_t held_bytes_ = 0, pending_ = 0;
  std::uint64_t written_ = 0;
  bool sync_failed_ = false;
  Clock::time_point next_sync_ = Clock::time_point::max();
};

}  // namespace

void Visit(config::Visitor& v, FileSinkConfig::Rotate& c) {
  v.Field("max_bytes", c.max_bytes,
          "Start a new file when this one has so many bytes on disk; 0 = never.");
  v.Field("interval", c.interval,
          "Start a new file at each multiple of this time since midnight UTC (1h, 1d); 0 = never.")
      .Check([](const config::Duration& d) {
        return d.value.count() != 0 && d.value < std::chrono::seconds(1)
                   ? std::string("must be at least 1s")
                   : std::string();
      });
  v.Field("keep", c.keep, "Rotated files that stay; older ones are deleted. 0 = all stay.");
}

void Visit(config::Visitor& v, FileSinkConfig& c) {
  v.Field(
       "path", c.path,
       "Where to write. {{ field }} and strftime conversions (UTC) are put in for each event; the "
       "folder up to the first field must be literal.")
      .Required()
      .Check(IsTemplate<TemplateUse::kPath>);
  v.Field("fallback", c.fallback, "Stands in the path for a field that an event has not.")
      .NotEmpty();
  v.Field("encoding", c.encoding, "How an event is written; one a line.");
  v.Field("compression", c.compression,
          "A growing file can be read by zcat or zstdcat up to the last write.");
  v.Field("compression_level", c.compression_level, "0 = 1, the fastest.").Range(0, 19);
  v.Field("rotate", c.rotate, "When to rename the file and start a new one.");
  v.Seconds("idle_timeout_secs", c.idle_timeout,
            "Close a file that nothing was written to for so long.")
      .Range(0.1);
  v.Field(
      "fsync", c.fsync,
      "never: an event counts as delivered once the kernel has it, and survives the agent being "
      "killed; interval, batch: once it is on disk, and survives a power cut.");
  v.Field("fsync_interval", c.fsync_interval, "How often, for fsync: interval.");
  v.Field("max_open_files", c.max_open_files, "Beyond, the file not used for longest is closed.")
      .Range(1, 10'000);
  v.Field("mode", c.mode, "Permissions of new files, octal.").Check([](const std::string& s) {
    const auto n = ParseNumber<unsigned>(s, 8);
    return n && *n <= 0777 ? std::string() : std::string("must be octal permissions such as 0640");
  });
}

Result<std::unique_ptr<Sink>> MakeFileSink(const FileSinkConfig& config, const Context& context) {
  MILLRACE_ASSIGN(Template path, Template::Parse(config.path, TemplateUse::kPath));
  return std::make_unique<FileSink>(config, context, std::move(path));
}

}  // namespace millrace::agent
