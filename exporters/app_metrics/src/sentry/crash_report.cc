// Reads what the handler of an earlier process wrote.
#include <algorithm>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "exporters/app_metrics/src/sentry/crash.h"

namespace millrace::app_metrics::sentry {
namespace {

namespace fs = std::filesystem;

struct Mapping {
  std::uint64_t begin, end;
  std::string path;
};

struct Raw {
  int signal = 0;
  std::uint64_t address = 0, time = 0;
  std::string request_id, trace_id;
  std::vector<std::uint64_t> frames;
  std::map<std::string, std::string> code_ids;  // by path
  std::vector<Mapping> maps;
};

std::string_view SignalName(int signal) {
  switch (signal) {
    case SIGSEGV:
      return "SIGSEGV";
    case SIGABRT:
      return "SIGABRT";
    case SIGBUS:
      return "SIGBUS";
    case SIGFPE:
      return "SIGFPE";
    case SIGILL:
      return "SIGILL";
    default:
      return "signal";
  }
}

// "55d0-55e0 r-xp 00000000 fe:01 1234   /usr/bin/app"
void TakeMapping(std::string_view line, std::vector<Mapping>& out) {
  const auto dash = line.find('-'), blank = line.find(' '), path = line.find('/');
  if (dash == std::string_view::npos || blank == std::string_view::npos || dash > blank ||
      path == std::string_view::npos)
    return;
  const auto begin = ParseNumber<std::uint64_t>(line.substr(0, dash), 16);
  const auto end = ParseNumber<std::uint64_t>(line.substr(dash + 1, blank - dash - 1), 16);
  if (begin && end) out.push_back({*begin, *end, std::string(line.substr(path))});
}

Result<Raw> ParseRaw(std::string_view text) {
  const auto lines = Split(text, '\n');
  if (lines.empty() || lines[0] != "millrace-crash 1")
    return Fail(ErrorCode::kParse, "not a crash file");
  Raw raw;
  bool in_maps = false;
  for (const std::string_view line : lines) {
    const auto blank = line.find(' ');
    const std::string_view key = line.substr(0, blank);
    const std::string_view value =
        blank == std::string_view::npos ? std::string_view() : line.substr(blank + 1);
    const auto number = ParseNumber<std::uint64_t>(value, 16).value_or(0);
    if (in_maps) {
      TakeMapping(line, raw.maps);
    } else if (line == "maps") {
      in_maps = true;
    } else if (key == "signal") {
      raw.signal = static_cast<int>(number & 0xff);
    } else if (key == "address") {
      raw.address = number;
    } else if (key == "time") {
      raw.time = number;
    } else if (key == "request_id") {
      raw.request_id = value.substr(0, 128);
    } else if (key == "trace_id") {
      raw.trace_id = value.substr(0, 32);
    } else if (key == "frame" && raw.frames.size() < 64) {
      raw.frames.push_back(number);
    } else if (key == "image") {
      const auto path = value.find(' ');
      if (path != std::string_view::npos)
        raw.code_ids[std::string(value.substr(path + 1))] = value.substr(0, path);
    }
  }
  if (raw.signal == 0) return Fail(ErrorCode::kNotFound, "ended without a crash");
  return raw;
}

// An address of the dead process as one of ours, when both loaded the same file.
std::uint64_t Translate(const Raw& raw, const std::vector<Image>& ours, std::uint64_t address,
                        const Mapping& at) {
  std::uint64_t base = at.begin;
  for (const Mapping& m : raw.maps)
    if (m.path == at.path) base = std::min(base, m.begin);
  const auto id = raw.code_ids.find(at.path);
  for (const Image& image : ours) {
    if (image.path != at.path || id == raw.code_ids.end() || id->second != image.code_id) continue;
    const auto page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return address - base + image.begin / page * page;
  }
  return 0;
}

std::vector<Frame> TellFrames(const Raw& raw) {
  const std::vector<Image> ours = LoadedImages();
  std::vector<Frame> out;
  for (const std::uint64_t address : raw.frames) {
    Frame plain;
    plain.address = address;
    std::vector<Frame> told;
    for (const Mapping& m : raw.maps) {
      if (address < m.begin || address >= m.end) continue;
      plain.module = m.path;
      if (const std::uint64_t here = Translate(raw, ours, address, m); here != 0)
        told = Symbolize({here});
      break;
    }
    if (told.empty()) told.push_back(plain);
    for (Frame& f : told) {
      f.address = address;
      out.push_back(std::move(f));
    }
  }
  return out;
}

}  // namespace

Result<Event> ParseCrash(const std::string& text) {
  MILLRACE_ASSIGN(const Raw raw, ParseRaw(text));
  Event e;
  e.level = "fatal";
  e.unix_seconds = static_cast<double>(raw.time);
  e.exception_type = SignalName(raw.signal);
  e.exception_value = "killed by signal " + std::to_string(raw.signal);
  e.mechanism = "signalhandler";
  e.request_id = raw.request_id;
  e.trace_id = raw.trace_id;
  e.frames = TellFrames(raw);
  return e;
}

std::vector<Event> CollectCrashes(const std::string& dir) {
  std::vector<Event> events;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename();
    if (!name.starts_with("crash-") || !name.ends_with(".raw")) continue;
    // A process that lives holds the lock of its file.
    const Fd fd(::open(it->path().c_str(), O_RDONLY | O_CLOEXEC));
    if (!fd || ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) continue;
    if (const auto text = ReadFile(it->path(), std::size_t{4} << 20)) {
      if (auto event = ParseCrash(*text); event && events.size() < 20)
        events.push_back(std::move(*event));
    }
    std::error_code ignored;
    fs::remove(it->path(), ignored);
  }
  return events;
}

}  // namespace millrace::app_metrics::sentry
