#include "agent/sources/file/config.h"

#include "agent/core/name.h"
#include "agent/sources/file/charset.h"
#include "agent/sources/file/file_source.h"
#include "agent/sources/file/glob.h"
#include "common/base/strings.h"

namespace millrace::agent {
namespace {

std::string CheckPatterns(const std::vector<std::string>& patterns) {
  for (const std::string& p : patterns) {
    if (p.empty()) return "an empty pattern";
    if (const auto expanded = ExpandBraces(p); !expanded) return expanded.error().message;
  }
  return {};
}

}  // namespace

void Visit(config::Visitor& v, FingerprintConfig& c) {
  v.Field("bytes", c.bytes,
          "How much of a file's beginning is part of its identity; less while it is shorter.")
      .Range(64, kMaxFingerprintBytes);
}

void Visit(config::Visitor& v, FileEncodingConfig& c) {
  v.Field("charset", c.charset,
          "Character set of the files, as iconv names it: utf-16le, utf-16be, gb18030, shift_jis, "
          "iso-8859-1. Turned into UTF-8; what is invalid becomes U+FFFD.")
      .Check([](const std::string& name) {
        return Charset::Known(name) ? std::string() : "iconv does not know \"" + name + "\"";
      });
}

void Visit(config::Visitor& v, FileConfig& c) {
  v.Field("include", c.include,
          "Patterns of files to read: *, ?, [a-z], {a,b} and ** for any number of folders. A "
          "rotated name needs no pattern.")
      .Required()
      .NotEmpty()
      .Check(CheckPatterns);
  v.Field("exclude", c.exclude, "Patterns of files to leave out.").Check(CheckPatterns);
  v.Field("read_from", c.read_from,
          "Where to begin in files that are there when the source starts for the first time; files "
          "that come later are read from their beginning.");
  v.Field("watch", c.watch,
          "How changes are noticed: inotify, poll, or auto, which polls network file systems.");
  v.Field("line_delimiter", c.line_delimiter, "What ends a line; with \"\\n\", also \"\\r\\n\".")
      .NotEmpty();
  v.Field("max_line_bytes", c.max_line_bytes, "Longer lines meet long_lines.").Range(1, 64 << 20);
  v.Field("long_lines", c.long_lines,
          "truncate keeps the beginning and adds _truncated and _original_bytes; drop counts the "
          "line and leaves it out.");
  v.Field("max_read_bytes", c.max_read_bytes, "Read from one log before the next has its turn.")
      .Range(4096);
  v.Field("oldest_first", c.oldest_first,
          "Read the log that was modified longest ago to its end before the next.");
  v.Seconds("ignore_older_secs", c.ignore_older,
            "Leave files alone that were modified longer ago, until they are modified; 0 = none.")
      .Range(0);
  v.Seconds("remove_after_secs", c.remove_after,
            "Remove a file that is delivered to its last byte and was not modified for so long; "
            "-1 = never.")
      .Range(-1);
  v.Seconds("rotate_wait_secs", c.rotate_wait,
            "How long a deleted file that was read to its end is held open for a writer that still "
            "has it. Unread bytes are never given up because of this.")
      .Range(0);
  v.Seconds("partial_line_timeout_secs", c.partial_line_timeout,
            "Deliver a last line without its end after so long; 0 = wait for the end. Rotated "
            "files give it out when they are finished.")
      .Range(0);
  v.Seconds("rescan_interval_secs", c.rescan_interval,
            "Look at everything again so often, should the kernel have told too little.")
      .Range(1);
  v.Field("glob_minimum_cooldown_ms", c.glob_minimum_cooldown_ms,
          "Shortest time between two searches for folders, and between two looks when polling.")
      .Range(10);
  v.Field("max_open_files", c.max_open_files,
          "Open files beside those that are being read; quiet ones are closed.")
      .Range(1);
  v.Field("max_deleted_bytes", c.max_deleted_bytes,
          "Disk space that deleted files may go on taking because they are not read to the end; "
          "beyond it the oldest is given up and its bytes counted. 0 = no limit.");
  v.Field("file_key", c.file_key, "Name of the field with the file's path; empty = none.");
  v.Field("host_key", c.host_key, "Name of the field with this machine's name; empty = none.");
  v.Field("offset_key", c.offset_key,
          "Name of a field with the byte offset of the line in its file; empty = none.");
  v.Field("fingerprint", c.fingerprint, "How files are told apart.");
  v.Field("encoding", c.encoding, "How files are encoded.");
}

Result<std::unique_ptr<Source>> MakeFileSource(const FileConfig& config, const Context& context) {
  MILLRACE_ASSIGN(PathSet paths, PathSet::Make(config.include, config.exclude));
  FramingOptions framing;
  framing.delimiter = config.line_delimiter;
  framing.max_line_bytes = config.max_line_bytes.value;
  framing.too_long = config.long_lines == LongLines::kDrop ? FramingOptions::TooLong::kDrop
                                                           : FramingOptions::TooLong::kTruncate;
  if (!EqualsIgnoreCase(config.encoding.charset, "utf-8")) {
    MILLRACE_ASSIGN(std::shared_ptr<Charset> charset, Charset::Open(config.encoding.charset));
    MILLRACE_ASSIGN(framing.delimiter, charset->Encode(config.line_delimiter));
    framing.unit = charset->unit();
    framing.transcode = [charset](std::string_view line, Arena& arena) {
      return charset->Decode(line, arena);
    };
  }
  return std::make_unique<FileSource>(config, std::move(paths), std::move(framing), context);
}

}  // namespace millrace::agent
