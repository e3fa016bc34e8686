#include <cmath>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

/// "2.05G", "720", "62.5k".
std::optional<double> ParseHuman(std::string_view text) {
  text = Trim(text);
  if (text.empty()) return std::nullopt;
  constexpr std::string_view kUnits = "kmgtpe";
  const char last =
      text.back() >= 'A' && text.back() <= 'Z' ? static_cast<char>(text.back() + 32) : text.back();
  double factor = 1;
  if (const auto unit = kUnits.find(last); unit != std::string_view::npos) {
    factor = std::pow(1024.0, static_cast<double>(unit) + 1);
    text.remove_suffix(1);
  }
  const auto value = ParseNumber<double>(Trim(text));
  if (!value) return std::nullopt;
  return std::trunc(*value * factor);
}

std::string_view WithoutColon(std::string_view s) {
  return s.ends_with(':') ? s.substr(0, s.size() - 1) : s;
}

/// Documentation/filesystems/bcachefs and fs/bcachefs/sysfs.c; the file system left the kernel
/// with 6.18, its out-of-tree module writes the same files.
class Bcachefs : public Collector {
 public:
  explicit Bcachefs(const Context& context) : root_(context.paths.Sys("fs/bcachefs")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(root_));
    if (names_.empty()) return NoData("no bcachefs file system");
    for (const std::string_view uuid : names_) {
      base_.assign(root_).append("/").append(uuid);
      uuid_ = uuid;
      Emit(out, {"node_bcachefs_info", kGauge, "Always 1 for each file system."}, {{"uuid", uuid_}},
           1);
      MILLRACE_TRY(EmitHuman(
          base_, "btree_cache_size",
          {"node_bcachefs_btree_cache_size_bytes", kGauge, "Memory that the btree cache uses."},
          {{"uuid", uuid_}}, out));
      MILLRACE_TRY(CollectCompression(out));
      MILLRACE_TRY(CollectErrors(out));
      MILLRACE_TRY(CollectCounters(out));
      MILLRACE_TRY(CollectWrites(out));
      MILLRACE_TRY(CollectDevices(out));
    }
    return {};
  }

 private:
  Status EmitHuman(std::string_view directory, std::string_view file, const Metric& metric,
                   std::initializer_list<Label> labels, MetricWriter& out) {
    const auto text = files_.Try(JoinPath(path_, {directory, file}));
    double value = 0;
    if (text && !text->empty()) {
      const auto parsed = ParseHuman(*text);
      if (!parsed) return BadContent(path_, "size", *text);
      value = *parsed;
    }
    Emit(out, metric, labels, value);
    return {};
  }

  // Titles, then: algorithm, compressed, uncompressed, average extent.
  Status CollectCompression(MetricWriter& out) {
    std::string_view rest = files_.Try(JoinPath(path_, {base_, "compression_stats"})).value_or("");
    std::string_view line;
    NextLine(rest, line);
    while (NextLine(rest, line)) {
      const Words<3> words(line);
      if (words.size() < 3) continue;
      const auto compressed = ParseHuman(words[1]), plain = ParseHuman(words[2]);
      if (!compressed || !plain) return BadContent(path_, "line", line);
      const std::initializer_list<Label> labels = {{"algorithm", WithoutColon(words[0])},
                                                   {"uuid", uuid_}};
      Emit(out, {"node_bcachefs_compression_compressed_bytes", kGauge, "Size after compression."},
           labels, *compressed);
      Emit(out,
           {"node_bcachefs_compression_uncompressed_bytes", kGauge, "Size before compression."},
           labels, *plain);
    }
    return {};
  }

  Status CollectErrors(MetricWriter& out) {
    std::string_view rest = files_.Try(JoinPath(path_, {base_, "errors"})).value_or(""), line;
    while (NextLine(rest, line)) {
      const Words<2> words(line);
      if (words.size() < 2) continue;
      const auto count = ParseNumber<std::uint64_t>(words[1]);
      if (!count) return BadContent(path_, "line", line);
      Emit(out, {"node_bcachefs_errors_total", kCounter, "Errors of a kind."},
           {{"error_type", words[0]}, {"uuid", uuid_}}, static_cast<double>(*count));
    }
    return {};
  }

  // One file a counter, with "since mount:" and "since filesystem creation:".
  Status CollectCounters(MetricWriter& out) {
    constexpr std::string_view kKey = "since filesystem creation:";
    if (!counters_.Read(JoinPath(path_, {base_, "counters"}))) return {};
    for (const std::string_view counter : counters_) {
      file_.assign("counters/").append(counter);
      std::string_view rest = files_.Try(JoinPath(path_, {base_, file_})).value_or(""), line;
      std::optional<double> value;
      while (NextLine(rest, line)) {
        if (line.starts_with("since mount:") && !value) value = 0;
        if (line.starts_with(kKey)) value = ParseHuman(line.substr(kKey.size()));
      }
      if (!value) return BadContent(path_, "counter", rest);
      name_.assign("node_bcachefs_").append(counter).append("_total");
      for (char& c : name_)
        if (c == '-' || c == '.') c = '_';
      out.Family(name_, kCounter, "A counter of bcachefs since the file system was made.");
      out.Sample({{"uuid", uuid_}}, *value);
    }
    return {};
  }

  // Titles, then: kind, number, average size.
  Status CollectWrites(MetricWriter& out) {
    std::string_view rest = files_.Try(JoinPath(path_, {base_, "btree_write_stats"})).value_or("");
    std::string_view line;
    NextLine(rest, line);
    while (NextLine(rest, line)) {
      const Words<3> words(line);
      if (words.size() < 3) continue;
      const auto count = ParseNumber<std::uint64_t>(words[1]);
      const auto size = ParseHuman(words[2]);
      if (!count || !size) return BadContent(path_, "line", line);
      const std::initializer_list<Label> labels = {{"type", WithoutColon(words[0])},
                                                   {"uuid", uuid_}};
      Emit(out, {"node_bcachefs_btree_writes_total", kCounter, "Btree writes of a kind."}, labels,
           static_cast<double>(*count));
      Emit(out,
           {"node_bcachefs_btree_write_average_size_bytes", kGauge, "Average size of a write."},
           labels, *size);
    }
    return {};
  }

  Status CollectDevices(MetricWriter& out) {
    MILLRACE_TRY(devices_.Read(base_));
    for (const std::string_view entry : devices_) {
      if (!entry.starts_with("dev-")) continue;
      const std::string_view device = entry.substr(4);
      directory_.assign(base_).append("/").append(entry);
      Emit(out, {"node_bcachefs_device_info", kGauge, "Always 1; what a device is."},
           {{"device", device},
            {"label", TextOf(files_, path_, directory_, "label")},
            {"state", TextOf(files_, path_, directory_, "state")},
            {"uuid", uuid_}},
           1);
      const std::initializer_list<Label> labels = {{"device", device}, {"uuid", uuid_}};
      MILLRACE_TRY(EmitHuman(
          directory_, "bucket_size",
          {"node_bcachefs_device_bucket_size_bytes", kGauge, "Size of a bucket."}, labels, out));
      MILLRACE_TRY(EmitHuman(directory_, "nbuckets",
                             {"node_bcachefs_device_buckets", kGauge, "Buckets of the device."},
                             labels, out));
      MILLRACE_TRY(EmitHuman(
          directory_, "durability",
          {"node_bcachefs_device_durability", kGauge, "Copies that a replica counts for."}, labels,
          out));
      MILLRACE_TRY(CollectIoDone(device, out));
      MILLRACE_TRY(CollectIoErrors(device, out));
    }
    return {};
  }

  // "read:" and "write:", each followed by lines "kind : bytes".
  Status CollectIoDone(std::string_view device, MetricWriter& out) {
    std::string_view rest = files_.Try(JoinPath(path_, {directory_, "io_done"})).value_or("");
    std::string_view line, operation;
    while (NextLine(rest, line)) {
      line = Trim(line);
      if (line == "read:" || line == "write:") {
        operation = WithoutColon(line);
        continue;
      }
      if (operation.empty() || line.find(':') == std::string_view::npos) continue;
      const std::string_view kind = Trim(NextPiece(line, ':'));
      const auto value = ParseNumber<std::uint64_t>(Trim(line));
      if (!value) return BadContent(path_, "bytes", line);
      Emit(out, {"node_bcachefs_device_io_done_bytes_total", kCounter, "Bytes read or written."},
           {{"data_type", kind}, {"device", device}, {"operation", operation}, {"uuid", uuid_}},
           static_cast<double>(*value));
    }
    return {};
  }

  Status CollectIoErrors(std::string_view device, MetricWriter& out) {
    std::string_view rest = files_.Try(JoinPath(path_, {directory_, "io_errors"})).value_or("");
    std::string_view line;
    bool wanted = false;
    while (NextLine(rest, line)) {
      if (line.starts_with("IO errors since ")) {
        if (wanted) break;
        wanted = line.starts_with("IO errors since filesystem creation");
        continue;
      }
      if (!wanted || line.find(':') == std::string_view::npos) continue;
      const std::string_view type = Trim(NextPiece(line, ':'));
      const auto value = ParseNumber<std::uint64_t>(Trim(line));
      if (!value) return BadContent(path_, "count", line);
      Emit(out, {"node_bcachefs_device_io_errors_total", kCounter, "I/O errors of a kind."},
           {{"device", device}, {"type", type}, {"uuid", uuid_}}, static_cast<double>(*value));
    }
    return {};
  }

  const std::string root_;
  FileReader files_;
  DirList names_, counters_, devices_;
  std::string path_, base_, uuid_, file_, name_, directory_;
};

}  // namespace

MILLRACE_COLLECTOR(Bcachefs) = {"bcachefs", true, "bcachefs file systems", nullptr,
                                &MakeCollector<Bcachefs>};

}  // namespace millrace::node
