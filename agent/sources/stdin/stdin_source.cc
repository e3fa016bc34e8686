#include "agent/sources/stdin/stdin_source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "agent/core/name.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kBlock = 64 * 1024;

std::int64_t WallNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

/// Nobody waits for it: standard input cannot be read again.
class NoAck final : public AckToken {};

}  // namespace

void Visit(config::Visitor& v, StdinConfig& c) {
  v.Field("line_delimiter", c.line_delimiter, "What ends a line; with \"\\n\", also \"\\r\\n\".")
      .NotEmpty();
  v.Field("max_line_bytes", c.max_line_bytes, "Longer lines meet long_lines.").Range(1, 64 << 20);
  v.Field("long_lines", c.long_lines,
          "truncate keeps the beginning and adds _truncated and _original_bytes; drop counts the "
          "line and leaves it out.");
  v.Field("host_key", c.host_key, "Name of the field with this machine's name; empty = none.");
}

Result<std::unique_ptr<Source>> MakeStdinSource(const StdinConfig& config, const Context& context) {
  return std::make_unique<StdinSource>(config, context, STDIN_FILENO);
}

StdinSource::StdinSource(const StdinConfig& config, const Context& context, int fd)
    : context_(context),
      host_key_(InternName(config.host_key)),
      host_(Block::Make(context.host.size())),
      fd_(fd) {
  std::copy(context.host.begin(), context.host.end(), host_.data.get());
  framing_.delimiter = config.line_delimiter;
  framing_.max_line_bytes = config.max_line_bytes.value;
  framing_.too_long = config.long_lines == LongLines::kDrop ? FramingOptions::TooLong::kDrop
                                                            : FramingOptions::TooLong::kTruncate;
  // Another run is another stream: its lines are not repetitions of the last run's.
  stream_ = HashStream("stdin:" + context.host + ':' + std::to_string(::getpid()) + ':' +
                       std::to_string(WallNs()));
  long_lines_ = context_.metrics->GetCounter(
      "file_long_lines_total", "Lines longer than max_line_bytes.", {{"outcome", "truncate"}});
  dropped_ = context_.metrics->Discarded("line_too_long", true);
}

Status StdinSource::Run(std::stop_token stop, Output& out) {
  const Fd wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake) return FailErrno("eventfd", errno);
  const std::stop_callback on_stop(stop,
                                   [&wake] { static_cast<void>(::eventfd_write(wake.get(), 1)); });
  LineFramer framer(framing_, 0);
  while (!stop.stop_requested()) {
    std::array<pollfd, 2> fds = {pollfd{fd_, POLLIN, 0}, pollfd{wake.get(), POLLIN, 0}};
    if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return FailErrno("poll", errno);
    if (fds[0].revents == 0) continue;
    const std::span<char> room = framer.Prepare(kBlock);
    const ssize_t n = ::read(fd_, room.data(), room.size());
    if (n < 0 && (errno == EINTR || errno == EAGAIN)) {
      framer.Commit(0);
      EventBatch none;
      static_cast<void>(framer.Cut(none, 0));
      continue;
    }
    if (n < 0) return FailErrno("read standard input", errno);
    framer.Commit(static_cast<std::size_t>(n));
    for (bool more = true; more;) {
      auto batch = std::make_unique<EventBatch>();
      more = framer.Cut(*batch, WallNs());
      MILLRACE_TRY(Send(out, framer, std::move(batch)));
    }
    if (n > 0) continue;
    auto last = std::make_unique<EventBatch>();
    framer.Finish(*last, WallNs());
    return Send(out, framer, std::move(last));
  }
  return {};
}

Status StdinSource::Send(Output& out, LineFramer& framer, std::unique_ptr<EventBatch> batch) {
  const LineFramer::Stats stats = framer.TakeStats();
  if (stats.truncated > 0) long_lines_.Add(static_cast<double>(stats.truncated));
  if (stats.dropped > 0) dropped_.Add(static_cast<double>(stats.dropped));
  if (batch->empty()) return {};
  batch->stream = stream_;
  batch->acks.push_back(std::make_shared<NoAck>());
  if (!host_key_.empty()) {
    batch->arena.Adopt(host_);
    batch->AddCommon(Field::String(host_key_, {host_.data.get(), host_.size}));
  }
  batch->AddCommon(Field::String(names::kSourceType, "stdin"));
  const auto events = static_cast<double>(batch->size());
  const auto bytes = static_cast<double>(batch->bytes);
  context_.metrics->received_events.Add(events);
  context_.metrics->received_bytes.Add(bytes);
  MILLRACE_TRY(out.Send(std::move(batch)));
  context_.metrics->sent_events.Add(events);
  context_.metrics->sent_bytes.Add(bytes);
  return {};
}

}  // namespace millrace::agent
