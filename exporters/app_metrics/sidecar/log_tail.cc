#include "exporters/app_metrics/sidecar/log_tail.h"

#include <cerrno>
#include <chrono>

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

namespace millrace::app_metrics::sidecar {
namespace {

constexpr std::size_t kChunk = std::size_t{256} << 10, kMaxLine = std::size_t{64} << 10;
constexpr std::chrono::milliseconds kPause{100};

}  // namespace

Result<std::unique_ptr<LogTail>> LogTail::Start(std::vector<std::string> files,
                                                const std::string& format, bool from_beginning,
                                                AppMetrics& metrics) {
  MILLRACE_ASSIGN(LogLineReader reader, LogLineReader::Make(format));
  std::unique_ptr<LogTail> tail(new LogTail(std::move(reader), metrics));
  tail->from_beginning_ = from_beginning;
  for (std::string& path : files) {
    File& f = tail->files_.emplace_back();
    f.path = std::move(path);
    tail->OpenFile(f, !from_beginning);
  }
  tail->thread_ = std::thread([raw = tail.get()] { raw->Run(); });
  return tail;
}

LogTail::~LogTail() {
  stop_ = true;
  thread_.join();
}

void LogTail::OpenFile(File& f, bool at_end) {
  f.offset = 0;
  f.partial.clear();
  f.skipping = false;
  if (f.path == "-") {
    f.fd = Fd(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    return;
  }
  f.fd = Fd(::open(f.path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!f.fd) return;
  struct stat st{};
  if (::fstat(f.fd.get(), &st) != 0) return;
  f.inode = st.st_ino;
  f.device = st.st_dev;
  if (at_end) f.offset = ::lseek(f.fd.get(), 0, SEEK_END);
}

void LogTail::Run() {
  while (!stop_) {
    bool any = false;
    for (File& f : files_) any |= ReadSome(f);
    if (!any) std::this_thread::sleep_for(kPause);
  }
}

bool LogTail::ReadSome(File& f) {
  if (f.ended) return false;
  if (!f.fd) {
    OpenFile(f, false);
    if (!f.fd) return false;
  }
  thread_local std::string buffer(kChunk, '\0');
  if (f.path == "-") {
    pollfd p{f.fd.get(), POLLIN, 0};
    if (::poll(&p, 1, static_cast<int>(kPause.count())) <= 0) return false;
  }
  const ssize_t n = ::read(f.fd.get(), buffer.data(), buffer.size());
  if (n < 0) return errno == EINTR;
  if (n == 0) {
    if (f.path == "-")
      f.ended = true;
    else
      FollowRotation(f);
    return false;
  }
  f.offset += n;
  TakeBytes(f, std::string_view(buffer).substr(0, static_cast<std::size_t>(n)));
  return true;
}

// At the end of what is open: is the name still this file?
void LogTail::FollowRotation(File& f) {
  struct stat by_name{};
  if (::stat(f.path.c_str(), &by_name) != 0) return;  // renamed, the new one is not there yet
  const bool other = by_name.st_ino != f.inode || by_name.st_dev != f.device;
  if (!other && by_name.st_size >= f.offset) return;
  ++stats_.rotations;
  OpenFile(f, false);
}

void LogTail::TakeBytes(File& f, std::string_view bytes) {
  for (;;) {
    const auto end = bytes.find('\n');
    if (end == std::string_view::npos) break;
    const std::string_view piece = bytes.substr(0, end);
    bytes.remove_prefix(end + 1);
    if (f.skipping) {
      f.skipping = false;
    } else if (f.partial.empty()) {
      TakeLine(piece);
    } else {
      f.partial += piece;
      TakeLine(f.partial);
    }
    f.partial.clear();
  }
  if (f.skipping) return;
  f.partial += bytes;
  if (f.partial.size() <= kMaxLine) return;
  ++stats_.too_long;
  f.partial.clear();
  f.skipping = true;
}

void LogTail::TakeLine(std::string_view line) {
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  if (line.empty()) return;
  if (line.size() > kMaxLine) {
    ++stats_.too_long;
    return;
  }
  ++stats_.lines;
  FinishedRequest request;
  if (reader_.Read(line, request))
    metrics_.record(request);
  else
    ++stats_.unparsed;
}

}  // namespace millrace::app_metrics::sidecar
