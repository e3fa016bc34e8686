#pragma once
// One stream of lines: the content of one generation of a log file, wherever it lies now.
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/checkpoints/ack_tracker.h"
#include "agent/core/event.h"
#include "agent/decode/framing/framing.h"
#include "agent/sources/file/content.h"
#include "agent/sources/file/identity.h"

namespace millrace::agent {

struct Family;

/// What the checkpoint remembers of a tail beside its position.
struct TailRecord {
  FileKey file;        ///< Where the content was last.
  std::string path;    ///< The same as a path.
  std::string label;   ///< Value of the `file` field: the path under which it was first seen.
  std::string family;  ///< Path of the name it rotates from; often the label.
  Fingerprint fingerprint;
  bool ignored = false;  ///< Lay there before the first start, not ours to read.
  /// No bytes are expected any more: the content has gone, or its last copy was read to the end.
  bool finished = false;
};
[[nodiscard]] std::string EncodeTailRecord(const TailRecord& record);
[[nodiscard]] std::optional<TailRecord> DecodeTailRecord(std::string_view text);

/// The stream keeps its key and so the ids of its events when the file is renamed, copied away,
/// compressed: that only changes which file carries the content.
struct Tail {
  std::string key;  ///< "file:<device>:<inode>:<birth>:<first seen>", once for all.
  EventId stream;   ///< HashStream(key).
  TailRecord record;
  Block label;  ///< record.label, for batches to keep alive.
  std::shared_ptr<AckTracker> tracker;

  bool has_file = false;  ///< record.file is there under record.path, as far as we know.
  bool deleted = false;   ///< No name any more; lives while `content` is open.
  bool copied = false;    ///< Carried by a copy that nobody writes to: its end is the end.
  std::unique_ptr<Content> content;    ///< Open.
  std::unique_ptr<LineFramer> framer;  ///< While open, and after, if bytes wait for their newline.
  std::uint64_t position = 0;  ///< Start of the first line not sent, when there is no framer.
  std::uint64_t anchor = 0;    ///< AnchorOf() that.

  std::uint64_t size = 0;  ///< Last seen (of the file: compressed, if it is).
  std::int64_t modified_ns = 0;
  bool suspect = false;      ///< Its beginning was seen to have changed: to be verified.
  std::uint32_t wakes = 0;   ///< Times that it was told to have something to read.
  bool pending = false;      ///< There may be something to read.
  std::uint64_t target = 0;  ///< To be read this far before younger tails of the family.
  std::chrono::steady_clock::time_point last_data{};  ///< When bytes last came.
  Family* family = nullptr;
  std::uint32_t remembered = 0;  ///< Length of the fingerprint that the store has.
  std::uint8_t put_off = 0;      ///< Times that its first bytes had to wait for older files.
  std::uint64_t scan = 0;        ///< Number of the scan that saw its file last.
  /// Anchors at some earlier positions, to know a copy again that ends before ours.
  std::vector<AckTracker::Mark> trail;

  [[nodiscard]] std::uint64_t read_position() const {
    return framer ? framer->line_start() : position;
  }
  [[nodiscard]] std::uint64_t read_anchor() const {
    return framer ? AnchorOf(framer->before()) : anchor;
  }
  [[nodiscard]] bool packed() const {
    return content != nullptr && content->kind() != ContentKind::kPlain;
  }
  /// Its name is not the one that is written to.
  [[nodiscard]] bool rotated() const;
};

/// Generations of one log, oldest first: app.log.2.gz, app.log.1, app.log.
struct Family {
  std::string folder, base;
  std::vector<std::unique_ptr<Tail>> tails;
  bool queued = false;        ///< Waits for its turn to be read.
  std::size_t next = 0;       ///< For taking turns.
  std::uint64_t version = 0;  ///< Moves when what its files may be changes.
  [[nodiscard]] std::string path() const { return folder + "/" + base; }
};

inline bool Tail::rotated() const { return deleted || copied || record.path != family->path(); }

}  // namespace millrace::agent
