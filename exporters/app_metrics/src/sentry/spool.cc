#include "exporters/app_metrics/src/sentry/spool.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <vector>

#include "common/base/fd.h"

namespace millrace::app_metrics::sentry {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kSuffix = ".envelope";

struct Entry {
  std::string path;
  std::size_t size;
};

// By name, which begins with the time.
std::vector<Entry> List(const std::string& dir) {
  std::vector<Entry> out;
  std::error_code error;
  for (fs::directory_iterator it(dir, error), end; !error && it != end; it.increment(error)) {
    const std::string path = it->path();
    if (!path.ends_with(kSuffix)) continue;
    std::error_code no_size;
    const auto size = it->file_size(no_size);
    if (!no_size) out.push_back({path, size});
  }
  std::sort(out.begin(), out.end(), [](const Entry& a, const Entry& b) { return a.path < b.path; });
  return out;
}

}  // namespace

Result<Spool> Spool::Open(std::string dir, std::size_t max_bytes, std::size_t max_files) {
  MILLRACE_TRY(MakeDirectories(dir, 0700));
  return Spool(std::move(dir), max_bytes, std::max<std::size_t>(1, max_files));
}

Result<std::size_t> Spool::Add(std::string_view id, std::string_view envelope) {
  if (envelope.size() > max_bytes_)
    return Fail(ErrorCode::kResourceExhausted, "report is larger than the spool");
  std::vector<Entry> entries = List(dir_);
  std::size_t bytes = 0, removed = 0;
  for (const Entry& e : entries) bytes += e.size;
  while (removed < entries.size() &&
         (bytes + envelope.size() > max_bytes_ || entries.size() - removed + 1 > max_files_)) {
    std::error_code ignored;
    fs::remove(entries[removed].path, ignored);
    bytes -= entries[removed++].size;
  }
  const auto us = std::chrono::duration_cast<std::chrono::microseconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count();
  std::string name = std::to_string(us);
  name.insert(0, 20 - std::min<std::size_t>(20, name.size()), '0');
  const std::string order = std::to_string(1'000'000 + sequence_++);
  const std::string path = dir_ + "/" + name + "-" + order + "-" + std::string(id);
  MILLRACE_TRY(WriteFileAtomically(path + std::string(kSuffix), envelope, 0600));
  return removed;
}

std::optional<Spool::Item> Spool::Oldest() const {
  for (const Entry& e : List(dir_)) {
    if (auto text = ReadFile(e.path, max_bytes_)) return Item{e.path, std::move(*text)};
    std::error_code ignored;
    fs::remove(e.path, ignored);  // unreadable or too large: it would block the rest for ever
  }
  return std::nullopt;
}

void Spool::Remove(const Item& item) const {
  std::error_code ignored;
  fs::remove(item.path, ignored);
}

std::size_t Spool::Count() const { return List(dir_).size(); }

}  // namespace millrace::app_metrics::sentry
