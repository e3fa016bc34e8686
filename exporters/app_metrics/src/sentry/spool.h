#pragma once
// Envelopes on disk while the server can't be reached; oldest first, bounded in bytes and files.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::app_metrics::sentry {

/// One thread, one process a folder.
class Spool {
 public:
  /// Makes the folder (mode 0700: reports hold what users did).
  [[nodiscard]] static Result<Spool> Open(std::string dir, std::size_t max_bytes,
                                          std::size_t max_files);
  /// Returns how many old envelopes had to go for this one.
  [[nodiscard]] Result<std::size_t> Add(std::string_view id, std::string_view envelope);
  struct Item {
    std::string path, envelope;
  };
  [[nodiscard]] std::optional<Item> Oldest() const;
  void Remove(const Item& item) const;
  [[nodiscard]] std::size_t Count() const;

 private:
  Spool(std::string dir, std::size_t max_bytes, std::size_t max_files)
      : dir_(std::move(dir)), max_bytes_(max_bytes), max_files_(max_files) {}
  std::string dir_;
  std::size_t max_bytes_, max_files_;
  std::uint64_t sequence_ = 0;
};

}  // namespace millrace::app_metrics::sentry
