#include "agent/sinks/file/owned_files.h"

#include <cerrno>

#include <fcntl.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

std::string Line(const OwnedFiles::Id& id) {
  return std::to_string(id.first) + " " + std::to_string(id.second) + "\n";
}

}  // namespace

OwnedFiles::OwnedFiles(std::string data_dir) : path_(std::move(data_dir)) {
  if (path_.empty()) return;
  path_ += "/open_files";
  const Result<std::string> text = ReadFile(path_);
  if (!text) return;
  for (const std::string_view line : Split(*text, '\n')) {
    const std::vector<std::string_view> words = SplitWhitespace(line);
    if (words.size() != 2) continue;
    const auto device = ParseNumber<std::uint64_t>(words[0]);
    const auto inode = ParseNumber<std::uint64_t>(words[1]);
    if (device && inode) ids_.emplace(*device, *inode);
  }
}

Status OwnedFiles::Add(Id id) {
  ids_.insert(id);
  if (path_.empty()) return {};
  // Files that come and go must not make the list grow without end.
  if (!fd_ || lines_ > 2 * ids_.size() + 1000) return Rewrite();
  ++lines_;
  return WriteAll(fd_.get(), Line(id));
}

void OwnedFiles::Remove(Id id) { ids_.erase(id); }

Status OwnedFiles::Rewrite() {
  std::string text;
  for (const Id& id : ids_) text += Line(id);
  MILLRACE_TRY(WriteFileAtomically(path_, text));
  fd_ = Fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!fd_) return FailErrno("open " + path_, errno);
  lines_ = ids_.size();
  return {};
}

}  // namespace millrace::agent
