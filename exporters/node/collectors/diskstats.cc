#include <array>
#include <string>
#include <vector>

#include "common/log/log.h"
#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Columns behind the device's name, see Documentation/admin-guide/iostats.rst. Sectors are 512
// bytes whatever the device says, times are milliseconds.
struct Column {
  Metric metric;
  double factor;
};
constexpr double kSector = 512;
// A product with 0.001 and not a division: the last digit is then the one of the original.
constexpr double kMillisecond = 1.0 / 1000.0;
constexpr std::array<Column, 17> kColumns = {{
    {{"node_disk_reads_completed_total", kCounter, "Reads that were completed."}, 1},
    {{"node_disk_reads_merged_total", kCounter, "Reads that were merged with another."}, 1},
    {{"node_disk_read_bytes_total", kCounter, "Bytes that were read."}, kSector},
    {{"node_disk_read_time_seconds_total", kCounter, "Seconds all reads took."}, kMillisecond},
    {{"node_disk_writes_completed_total", kCounter, "Writes that were completed."}, 1},
    {{"node_disk_writes_merged_total", kCounter, "Writes that were merged with another."}, 1},
    {{"node_disk_written_bytes_total", kCounter, "Bytes that were written."}, kSector},
    {{"node_disk_write_time_seconds_total", kCounter, "Seconds all writes took."}, kMillisecond},
    {{"node_disk_io_now", kGauge, "Operations in progress."}, 1},
    {{"node_disk_io_time_seconds_total", kCounter, "Seconds with an operation in progress."},
     kMillisecond},
    {{"node_disk_io_time_weighted_seconds_total", kCounter,
      "Seconds with operations in progress, times their number."},
     kMillisecond},
    {{"node_disk_discards_completed_total", kCounter, "Discards that were completed."}, 1},
    {{"node_disk_discards_merged_total", kCounter, "Discards that were merged with another."}, 1},
    {{"node_disk_discarded_sectors_total", kCounter, "Sectors that were discarded."}, 1},
    {{"node_disk_discard_time_seconds_total", kCounter, "Seconds all discards took."},
     kMillisecond},
    {{"node_disk_flush_requests_total", kCounter, "Flush requests that were completed."}, 1},
    {{"node_disk_flush_requests_time_seconds_total", kCounter, "Seconds all flush requests took."},
     kMillisecond},
}};
constexpr std::size_t kLeastColumns = 11;

// Properties of udev's database that become labels or values.
enum Property : unsigned char {
  kPath,
  kWwn,
  kModel,
  kRevision,
  kScsiSerial,
  kSerialShort,
  kSerial,
  kFsType,
  kFsUsage,
  kFsUuid,
  kFsVersion,
  kDmName,
  kDmUuid,
  kDmVgName,
  kDmLvName,
  kDmLvLayer,
  kAta,
  kAtaCache,
  kAtaCacheEnabled,
  kAtaRpm,
  kProperties
};
constexpr std::array<std::string_view, kProperties> kPropertyNames = {"ID_PATH",
                                                                      "ID_WWN",
                                                                      "ID_MODEL",
                                                                      "ID_REVISION",
                                                                      "SCSI_IDENT_SERIAL",
                                                                      "ID_SERIAL_SHORT",
                                                                      "ID_SERIAL",
                                                                      "ID_FS_TYPE",
                                                                      "ID_FS_USAGE",
                                                                      "ID_FS_UUID",
                                                                      "ID_FS_VERSION",
                                                                      "DM_NAME",
                                                                      "DM_UUID",
                                                                      "DM_VG_NAME",
                                                                      "DM_LV_NAME",
                                                                      "DM_LV_LAYER",
                                                                      "ID_ATA",
                                                                      "ID_ATA_WRITE_CACHE",
                                                                      "ID_ATA_WRITE_CACHE_ENABLED",
                                                                      "ID_ATA_ROTATION_RATE_RPM"};

constexpr std::array<std::pair<Property, Metric>, 3> kAtaMetrics = {{
    {kAtaCache, {"node_disk_ata_write_cache", kGauge, "1 when an ATA disk has a write cache."}},
    {kAtaCacheEnabled,
     {"node_disk_ata_write_cache_enabled", kGauge, "1 when the write cache of an ATA disk is on."}},
    {kAtaRpm,
     {"node_disk_ata_rotation_rate_rpm", kGauge,
      "Rotations a minute of an ATA disk, 0 for an SSD."}},
}};

struct Disk {
  std::string name, major, minor;
  std::array<double, kColumns.size()> values{};
  std::size_t columns = 0;
  std::array<std::string, kProperties> udev;
  bool rotational = false;
};

class Diskstats : public Collector {
 public:
  Diskstats(const Context& context, NameFilter filter)
      : path_(context.paths.Proc("diskstats")),
        block_(context.paths.Sys("block")),
        udev_(context.paths.udev_data),
        has_udev_(IsDirectory(udev_)),
        filter_(std::move(filter)) {
    if (!has_udev_)
      log::Error("Cannot read udev's database, properties of disks are left out",
                 {{"path", udev_}});
  }

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(ReadDisks());
    for (std::size_t i = 0; i < count_; ++i) ReadProperties(disks_[i]);
    WriteColumns(out);
    WriteInfo(out);
    return {};
  }

 private:
  Status ReadDisks() {
    count_ = 0;
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      const std::string_view major = NextWord(words);
      const std::string_view minor = NextWord(words);
      const std::string_view name = NextWord(words);
      if (name.empty()) continue;
      if (count_ == disks_.size()) disks_.emplace_back();
      Disk& d = disks_[count_];
      for (d.columns = 0; d.columns < kColumns.size(); ++d.columns) {
        const std::string_view word = NextWord(words);
        if (word.empty()) break;
        const auto value = ParseNumber<std::uint64_t>(word);
        if (!value) return BadContent(path_, "number", word);
        d.values[d.columns] = static_cast<double>(*value) * kColumns[d.columns].factor;
      }
      if (d.columns < kLeastColumns || filter_.Ignored(name)) continue;
      d.name.assign(name);
      d.major.assign(major);
      d.minor.assign(minor);
      ++count_;
    }
    return {};
  }

  // Lines "E:NAME=value" of <udev data>/b<major>:<minor>.
  void ReadProperties(Disk& d) {
    d.rotational = files_.Try(JoinPath(scratch_, {block_, d.name, "queue/rotational"})) == "1";
    for (std::string& value : d.udev) value.clear();
    if (!has_udev_) return;
    file_.assign("b").append(d.major).append(":").append(d.minor);
    const auto text = files_.Try(JoinPath(scratch_, {udev_, file_}));
    if (!text) return;
    std::string_view rest = *text;
    std::string_view line;
    while (NextLine(rest, line)) {
      if (!line.starts_with("E:")) continue;
      line.remove_prefix(2);
      const auto eq = line.find('=');
      if (eq == std::string_view::npos) continue;
      for (std::size_t i = 0; i < kProperties; ++i)
        if (kPropertyNames[i] == line.substr(0, eq)) d.udev[i].assign(line.substr(eq + 1));
    }
  }

  void WriteColumns(MetricWriter& out) const {
    for (std::size_t c = 0; c < kColumns.size(); ++c) {
      out.Family(kColumns[c].metric);
      for (std::size_t i = 0; i < count_; ++i)
        if (c < disks_[i].columns) out.Sample({{"device", disks_[i].name}}, disks_[i].values[c]);
    }
  }

  void WriteInfo(MetricWriter& out) const {
    out.Family("node_disk_info", kGauge, "Always 1; what a block device is.");
    for (std::size_t i = 0; i < count_; ++i) {
      const Disk& d = disks_[i];
      const auto& u = d.udev;
      // The serial number that is printed on the disk comes first; virtio knows only the last.
      const std::string& serial = !u[kScsiSerial].empty()    ? u[kScsiSerial]
                                  : !u[kSerialShort].empty() ? u[kSerialShort]
                                                             : u[kSerial];
      out.Sample({{"device", d.name},
                  {"major", d.major},
                  {"minor", d.minor},
                  {"model", u[kModel]},
                  {"path", u[kPath]},
                  {"revision", u[kRevision]},
                  {"rotational", d.rotational ? "1" : "0"},
                  {"serial", serial},
                  {"wwn", u[kWwn]}},
                 1);
    }
    out.Family("node_disk_filesystem_info", kGauge, "Always 1; the file system on a disk.");
    for (std::size_t i = 0; i < count_; ++i) {
      const auto& u = disks_[i].udev;
      if (!u[kFsType].empty())
        out.Sample({{"device", disks_[i].name},
                    {"type", u[kFsType]},
                    {"usage", u[kFsUsage]},
                    {"uuid", u[kFsUuid]},
                    {"version", u[kFsVersion]}},
                   1);
    }
    out.Family("node_disk_device_mapper_info", kGauge,
               "Always 1; what device mapper knows of a disk.");
    for (std::size_t i = 0; i < count_; ++i) {
      const auto& u = disks_[i].udev;
      if (!u[kDmName].empty())
        out.Sample({{"device", disks_[i].name},
                    {"lv_layer", u[kDmLvLayer]},
                    {"lv_name", u[kDmLvName]},
                    {"name", u[kDmName]},
                    {"uuid", u[kDmUuid]},
                    {"vg_name", u[kDmVgName]}},
                   1);
    }
    for (const auto& [property, metric] : kAtaMetrics) {
      out.Family(metric);
      for (std::size_t i = 0; i < count_; ++i) {
        const auto& u = disks_[i].udev;
        const auto value = ParseNumber<double>(u[property]);
        if (!u[kAta].empty() && value) out.Sample({{"device", disks_[i].name}}, *value);
      }
    }
  }

  const std::string path_, block_, udev_;
  const bool has_udev_;
  NameFilter filter_;
  FileReader files_;
  std::string scratch_, file_;
  std::vector<Disk> disks_;
  std::size_t count_ = 0;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.diskstats.device-exclude",
             R"(^(z?ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$)",
             "Regexp of devices to leave out (not together with device-include).");
  flags.Text("collector.diskstats.ignored-devices", "", "Old name of device-exclude.");
  flags.Hide();
  flags.Text("collector.diskstats.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter filter,
                  FilterFromFlags(context.flags, {"collector.diskstats.device-exclude",
                                                  "collector.diskstats.device-include",
                                                  "collector.diskstats.ignored-devices"}));
  return std::make_unique<Diskstats>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Diskstats) = {"diskstats", true, "Operations of block devices", &Declare, &Make};

}  // namespace millrace::node
