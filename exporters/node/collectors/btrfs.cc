#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/collectors/btrfs_ioctl.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr Metric kDeviceSize{"node_btrfs_device_size_bytes", kGauge,
                             "Size of a device of the file system."};

/// Bytes on the devices for one byte stored.
double AllocationRatio(std::string_view mode, double devices) {
  if (mode == "single" || mode == "raid0") return 1;
  if (mode == "dup" || mode == "raid1" || mode == "raid10") return 2;
  if (mode == "raid1c3") return 3;
  if (mode == "raid1c4") return 4;
  if (mode == "raid5") return devices / (devices - 1);
  if (mode == "raid6") return devices / (devices - 2);
  return 0;
}

/// "\040" of /proc/mounts is a blank.
std::string Unescape(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto code =
        text[i] == '\\' ? ParseNumber<unsigned char>(text.substr(i + 1, 3), 8) : std::nullopt;
    if (code) {
      out += static_cast<char>(*code);
      i += 3;
    } else {
      out += text[i];
    }
  }
  return out;
}

class Btrfs : public Collector {
 public:
  explicit Btrfs(const Context& context)
      : paths_(context.paths), root_(context.paths.Sys("fs/btrfs")) {}

  Status Collect(MetricWriter& out) override {
    if (!names_.Read(root_)) return {};
    bool asked = false;
    for (const std::string_view name : names_) {
      if (name.find('-') == std::string_view::npos) continue;  // "features"
      if (!asked) ReadMounted();
      asked = true;
      base_.assign(root_).append("/").append(name);
      MILLRACE_TRY(CollectOne(out));
    }
    return {};
  }

 private:
  void ReadMounted() {
    mounted_.clear();
    const auto text = files_.Read(paths_.Proc("1/mounts"));
    if (!text) return;
    std::string_view rest = *text, line;
    std::vector<std::string> seen;
    while (NextLine(rest, line)) {
      const Words<3> words(line);
      if (words[2] != "btrfs") continue;
      if (std::find(seen.begin(), seen.end(), words[0]) != seen.end()) continue;
      // Another mount point of the same device may work where this one did not.
      if (auto mounted = ReadBtrfs(paths_.Rootfs(Unescape(words[1])))) {
        seen.emplace_back(words[0]);
        mounted_.push_back(std::move(*mounted));
      }
    }
  }

  double Number(std::string_view file) {
    return static_cast<double>(files_.TryUnsigned(JoinPath(path_, {base_, file})).value_or(0));
  }

  Status CollectOne(MetricWriter& out) {
    uuid_ = TextOf(files_, path_, base_, "metadata_uuid");
    MILLRACE_TRY(devices_.Read(JoinPath(path_, {base_, "devices"})));
    const std::initializer_list<Label> labels = {{"uuid", uuid_}};
    Emit(out, {"node_btrfs_info", kGauge, "Always 1; what a file system is."},
         {{"label", TextOf(files_, path_, base_, "label")}, {"uuid", uuid_}}, 1);
    Emit(out, {"node_btrfs_global_rsv_size_bytes", kGauge, "Size of the global reserve."}, labels,
         Number("allocation/global_rsv_size"));
    MILLRACE_TRY(CollectCommits(out));
    for (const std::string_view type : {"data", "metadata", "system"}) CollectAllocation(type, out);
    CollectDevices(out);
    return {};
  }

  Status CollectCommits(MetricWriter& out) {
    struct Commit {
      std::string_view key;
      Metric metric;
      double divisor;
      double value = 0;
    };
    Commit commits[] = {
        {"commits", {"node_btrfs_commits_total", kCounter, "Commits."}, 1},
        {"last_commit_ms",
         {"node_btrfs_last_commit_seconds", kGauge, "Time that the last commit took."},
         1000},
        {"max_commit_ms",
         {"node_btrfs_max_commit_seconds", kGauge, "Time that the longest commit took."},
         1000},
        {"total_commit_ms",
         {"node_btrfs_commit_seconds_total", kCounter, "Time spent in commits."},
         1000}};
    // Absent before Linux 6.0: all are 0.
    if (const auto text = files_.Try(JoinPath(path_, {base_, "commit_stats"}))) {
      std::string_view rest = *text, line;
      while (NextLine(rest, line)) {
        const Words<2> words(line);
        const auto value = ParseNumber<std::uint64_t>(words[1]);
        if (!value || words.size() != 2) return BadContent(path_, "line", line);
        for (Commit& c : commits)
          if (c.key == words[0]) c.value = static_cast<double>(*value);
      }
    }
    for (const Commit& c : commits) Emit(out, c.metric, {{"uuid", uuid_}}, c.value / c.divisor);
    return {};
  }

  void CollectAllocation(std::string_view type, MetricWriter& out) {
    file_.assign("allocation/").append(type).append("/bytes_reserved");
    Emit(out, {"node_btrfs_reserved_bytes", kGauge, "Bytes reserved for a kind of data."},
         {{"block_group_type", type}, {"uuid", uuid_}}, Number(file_));
    file_.assign(base_).append("/allocation/").append(type);
    if (!modes_.Read(file_)) return;
    const auto devices = static_cast<double>(devices_.size());
    for (const std::string_view mode : modes_) {
      file_.assign("allocation/").append(type).append("/").append(mode).append("/total_bytes");
      if (!Exists(std::string(JoinPath(path_, {base_, file_})))) continue;  // a file, not a mode
      const std::initializer_list<Label> labels = {
          {"block_group_type", type}, {"mode", mode}, {"uuid", uuid_}};
      Emit(out, {"node_btrfs_size_bytes", kGauge, "Bytes allocated for a mode."}, labels,
           Number(file_));
      file_.assign("allocation/").append(type).append("/").append(mode).append("/used_bytes");
      Emit(out, {"node_btrfs_used_bytes", kGauge, "Bytes used of a mode."}, labels, Number(file_));
      Emit(out,
           {"node_btrfs_allocation_ratio", kGauge, "Bytes on the devices for one byte stored."},
           labels, AllocationRatio(mode, devices));
    }
  }

  void CollectDevices(MetricWriter& out) {
    for (const BtrfsMounted& m : mounted_) {
      if (m.uuid != uuid_) continue;
      for (const BtrfsDevice& d : m.devices) {
        const std::initializer_list<Label> labels = {
            {"btrfs_dev_uuid", d.uuid}, {"device", d.name}, {"uuid", uuid_}};
        Emit(out, kDeviceSize, labels, static_cast<double>(d.total_bytes));
        Emit(out, {"node_btrfs_device_unused_bytes", kGauge, "Bytes of a device not allocated."},
             labels, static_cast<double>(d.total_bytes - d.used_bytes));
        static constexpr std::string_view kTypes[] = {"write", "read", "flush", "corruption",
                                                      "generation"};
        for (std::size_t i = 0; i < d.errors.size(); ++i)
          Emit(out, {"node_btrfs_device_errors_total", kCounter, "Errors of a device."},
               {{"btrfs_dev_uuid", d.uuid},
                {"device", d.name},
                {"type", kTypes[i]},
                {"uuid", uuid_}},
               static_cast<double>(d.errors[i]));
      }
      return;
    }
    for (const std::string_view device : devices_) {
      file_.assign("devices/").append(device).append("/size");
      Emit(out, kDeviceSize, {{"device", device}, {"uuid", uuid_}}, Number(file_) * 512);
    }
  }

  const HostPaths paths_;
  const std::string root_;
  FileReader files_;
  DirList names_, devices_, modes_;
  std::vector<BtrfsMounted> mounted_;
  std::string path_, base_, uuid_, file_;
};

}  // namespace

MILLRACE_COLLECTOR(Btrfs) = {"btrfs", true, "btrfs file systems", nullptr, &MakeCollector<Btrfs>};

}  // namespace millrace::node
