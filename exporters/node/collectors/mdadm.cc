#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Array {
  std::string name, state;
  double active = 0, failed = 0, spare = 0, required = 0, blocks = 0, synced = 0;
};

std::size_t Occurrences(std::string_view text, std::string_view what) {
  std::size_t n = 0;
  for (auto at = text.find(what); at != std::string_view::npos;
       at = text.find(what, at + what.size()))
    ++n;
  return n;
}

bool Contains(std::string_view text, std::string_view what) {
  return text.find(what) != std::string_view::npos;
}

// "[total/active]" behind the size, such as "[3/2] [UU_]".
bool ParseCounts(std::string_view line, Array& array) {
  for (auto at = line.find('['); at != std::string_view::npos; at = line.find('[', at + 1)) {
    std::string_view rest = line.substr(at + 1);
    std::string_view inside = NextPiece(rest, ']');
    const auto total = ParseNumber<std::uint64_t>(NextPiece(inside, '/'));
    const auto active = ParseNumber<std::uint64_t>(inside);
    if (!total || !active) continue;
    array.required = static_cast<double>(*total);
    array.active = static_cast<double>(*active);
    return true;
  }
  return false;
}

// "(done/all)" of "[=>...] recovery =  8.5% (16775552/195310144) finish=17.0min speed=259783K/sec".
std::optional<double> ParseDone(std::string_view line) {
  for (auto at = line.find('('); at != std::string_view::npos; at = line.find('(', at + 1)) {
    std::string_view rest = line.substr(at + 1);
    std::string_view inside = NextPiece(rest, ')');
    const auto done = ParseNumber<std::uint64_t>(NextPiece(inside, '/'));
    if (done && ParseNumber<std::uint64_t>(inside)) return static_cast<double>(*done);
  }
  return std::nullopt;
}

// The state a sync line stands for, or "".
std::string_view SyncState(std::string_view line) {
  if (Contains(line, "recovery")) return "recovering";
  if (Contains(line, "reshape")) return "reshaping";
  if (Contains(line, "check")) return "checking";
  if (Contains(line, "resync")) return "resyncing";
  return {};
}

/// /proc/mdstat: a line with the devices of an array, one with its size, perhaps one with its
/// bitmap and one with the progress of a sync.
Status ParseMdstat(const std::string& path, std::string_view text, std::vector<Array>& arrays) {
  std::vector<std::string_view> lines;
  for (std::string_view line; NextLine(text, line);) lines.push_back(line);
  const auto line_at = [&](std::size_t i) {
    return i < lines.size() ? lines[i] : std::string_view();
  };
  for (std::size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    if (Trim(line).empty() || line[0] == ' ' || line.starts_with("unused") ||
        line.starts_with("Personalities"))
      continue;
    const Words<3> words(line);
    if (words.size() < 3 || i + 2 >= lines.size()) return BadContent(path, "line", line);
    Array& array = arrays.emplace_back();
    array.name = words[0];
    array.state = words[2];
    array.failed = static_cast<double>(Occurrences(line, "(F)"));
    array.spare = static_cast<double>(Occurrences(line, "(S)"));
    std::string_view size_line = lines[i + 1];
    const auto size = ParseNumber<std::uint64_t>(NextWord(size_line));
    if (!size) return BadContent(path, "size line", lines[i + 1]);
    array.blocks = array.synced = static_cast<double>(*size);
    if (Contains(line, "raid0") || Contains(line, "linear")) {
      array.active = array.required = static_cast<double>(Occurrences(line, "["));
    } else if (!Contains(line, "inactive") && !ParseCounts(size_line, array)) {
      return BadContent(path, "size line", lines[i + 1]);
    }
    const std::string_view sync = line_at(Contains(line_at(i + 2), "bitmap") ? i + 3 : i + 2);
    const std::string_view state = SyncState(sync);
    if (state.empty()) continue;
    array.state = state;
    if (Contains(sync, "PENDING") || Contains(sync, "DELAYED")) {
      array.synced = 0;
      continue;
    }
    const auto done = ParseDone(sync);
    if (!done) return BadContent(path, "sync line", sync);
    array.synced = *done;
  }
  return {};
}

class Mdadm : public Collector {
 public:
  explicit Mdadm(const Context& context)
      : path_(context.paths.Proc("mdstat")), block_(context.paths.Sys("block")) {}

  Status Collect(MetricWriter& out) override {
    arrays_.clear();
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(path_));
    MILLRACE_TRY(ParseMdstat(path_, text, arrays_));
    WriteArrays(out);
    return WriteSysfs(out);
  }

 private:
  void Column(MetricWriter& out, const Metric& metric, double Array::* value) const {
    out.Family(metric);
    for (const Array& a : arrays_) out.Sample({{"device", a.name}}, a.*value);
  }

  void WriteArrays(MetricWriter& out) const {
    Column(out, {"node_md_disks_required", kGauge, "Disks an array should have."},
           &Array::required);
    Column(out, {"node_md_blocks", kGauge, "Blocks of an array."}, &Array::blocks);
    Column(out, {"node_md_blocks_synced", kGauge, "Blocks of an array that are in sync."},
           &Array::synced);
    out.Family("node_md_disks", kGauge, "Disks of an array by state.");
    for (const Array& a : arrays_) {
      out.Sample({{"device", a.name}, {"state", "active"}}, a.active);
      out.Sample({{"device", a.name}, {"state", "failed"}}, a.failed);
      out.Sample({{"device", a.name}, {"state", "spare"}}, a.spare);
    }
    static constexpr std::array<std::array<std::string_view, 2>, 5> kStates = {
        {{"active", "active"},
         {"inactive", "inactive"},
         {"recovering", "recovering"},
         {"resync", "resyncing"},
         {"check", "checking"}}};
    out.Family("node_md_state", kGauge, "1 for the state an array is in.");
    for (const Array& a : arrays_)
      for (const auto& [label, state] : kStates)
        out.Sample({{"device", a.name}, {"state", label}}, a.state == state ? 1 : 0);
  }

  // /sys/block/md*/md, see Documentation/admin-guide/md.rst.
  Status WriteSysfs(MetricWriter& out) {
    if (!devices_.Read(block_)) return {};
    for (const std::string_view device : devices_) {
      if (!device.starts_with("md")) continue;
      dir_.assign(JoinPath(scratch_, {block_, device, "md"}));
      if (!IsDirectory(dir_)) continue;
      MILLRACE_ASSIGN(const std::string_view raw, files_.Read(JoinPath(scratch_, {dir_, "level"})));
      const std::string level(Trim(raw));
      if (!level.empty() && level != "container" && level != "imsm" && level != "ddf") {
        MILLRACE_ASSIGN(std::string_view disks,
                        files_.Read(JoinPath(scratch_, {dir_, "raid_disks"})));
        // "11 (10)" while the array grows.
        if (const auto n = ParseNumber<std::uint64_t>(NextWord(disks))) {
          out.Family("node_md_raid_disks", kGauge, "Disks of an array, as sysfs counts them.");
          out.Sample({{"device", device}}, static_cast<double>(*n));
        }
      }
      double degraded = 0;
      if (level == "raid1" || level == "raid4" || level == "raid5" || level == "raid6" ||
          level == "raid10") {
        const auto n = files_.TryUnsigned(JoinPath(scratch_, {dir_, "degraded"}));
        if (!n) return BadContent(scratch_, "or missing number", "");
        degraded = static_cast<double>(*n);
      }
      out.Family("node_md_degraded", kGauge, "Disks an array lacks.");
      out.Sample({{"device", device}}, degraded);
    }
    return {};
  }

  const std::string path_, block_;
  FileReader files_;
  DirList devices_;
  std::string scratch_, dir_;
  std::vector<Array> arrays_;
};

}  // namespace

MILLRACE_COLLECTOR(Mdadm) = {"mdadm", true, "Software RAID", nullptr, &MakeCollector<Mdadm>};

}  // namespace millrace::node
