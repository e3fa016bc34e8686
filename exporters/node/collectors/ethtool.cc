#include <cerrno>
#include <cstring>
#include <map>
#include <vector>

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "common/base/strings.h"
#include "common/log/log.h"
#include "exporters/node/attributes.h"
#include "exporters/node/filter.h"

namespace millrace::node {
namespace {

constexpr unsigned kAutonegBit = 6, kPauseBit = 13, kAsymPauseBit = 14;

/// Link modes by their bit in ETHTOOL_GSET (enum ethtool_link_mode_bit_indices).
struct Mode {
  unsigned bit;
  unsigned mbit;
  bool full;
  std::string_view name;
};
constexpr Mode kModes[] = {{0, 10, false, "10baseT"},           {1, 10, true, "10baseT"},
                           {2, 100, false, "100baseT"},         {3, 100, true, "100baseT"},
                           {4, 1000, false, "1000baseT"},       {5, 1000, true, "1000baseT"},
                           {12, 10000, true, "10000baseT"},     {17, 1000, true, "1000baseKX"},
                           {18, 10000, true, "10000baseKX4"},   {19, 10000, true, "10000baseKR"},
                           {20, 10000, true, "10000baseR_FEC"}, {21, 20000, true, "20000baseMLD2"},
                           {22, 20000, true, "20000baseKR2"},   {23, 40000, true, "40000baseKR4"},
                           {24, 40000, true, "40000baseCR4"},   {25, 40000, true, "40000baseSR4"},
                           {26, 40000, true, "40000baseLR4"},   {27, 56000, true, "56000baseKR4"},
                           {28, 56000, true, "56000baseCR4"},   {29, 56000, true, "56000baseSR4"},
                           {30, 56000, true, "56000baseLR4"},   {31, 25000, true, "25000baseCR"}};
constexpr std::pair<unsigned, std::string_view> kPorts[] = {
    {7, "TP"}, {8, "AUI"}, {9, "MII"}, {10, "FIBRE"}, {11, "BNC"}, {16, "Backplane"}};

std::string_view FixedText(const char* text, std::size_t size) {
  return {text, ::strnlen(text, size)};
}

/// What a metric name may not have becomes '_'.
std::string Sanitized(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
      c = '_';
  return out;
}

/// Words `from` between underscores become `to`. Of two in a row only the first does, as in the
/// original, whose regular expression takes the underscore between them.
std::string WithWord(std::string_view name, std::string_view from, std::string_view to) {
  std::string out;
  bool replaced = false;
  for (const std::string_view word : Split(name, '_')) {
    if (!out.empty()) out += '_';
    replaced = word == from && !replaced;
    out += replaced ? to : word;
  }
  return out;
}

/// "rx_bytes" -> "node_ethtool_received_bytes"; names of drivers are wild.
std::string MetricName(std::string_view stat) {
  std::string rest = ToLower(Sanitized(stat));
  rest.erase(0, std::min(rest.find_first_not_of('_'), rest.size()));
  return "node_ethtool_" + WithWord(WithWord(rest, "rx", "received"), "tx", "transmitted");
}

/// Those the original gives a name of their own.
std::string_view KnownName(std::string_view stat) {
  static constexpr std::pair<std::string_view, std::string_view> kKnown[] = {
      {"rx_bytes", "node_ethtool_received_bytes_total"},
      {"rx_dropped", "node_ethtool_received_dropped_total"},
      {"rx_errors", "node_ethtool_received_errors_total"},
      {"rx_packets", "node_ethtool_received_packets_total"},
      {"tx_bytes", "node_ethtool_transmitted_bytes_total"},
      {"tx_errors", "node_ethtool_transmitted_errors_total"},
      {"tx_packets", "node_ethtool_transmitted_packets_total"}};
  for (const auto& [from, to] : kKnown)
    if (from == stat) return to;
  return {};
}

class Ethtool : public Collector {
 public:
  Ethtool(const Context& context, NameFilter devices, Pattern metrics)
      : class_(context.paths.Sys("class/net")),
        devices_(std::move(devices)),
        metrics_(std::move(metrics)) {}

  Status Collect(MetricWriter& out) override {
    if (!names_.Read(class_)) return NoData("no " + class_);
    if (!fd_) fd_ = Fd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (!fd_) return FailErrno("socket", errno);
    for (const std::string_view device : names_) {
      if (devices_.Ignored(device)) continue;
      CollectLink(device, out);
      CollectDriver(device, out);
      CollectStats(device, out);
    }
    return {};
  }

 private:
  /// The ioctl SIOCETHTOOL. False (with a log line if it is not plain lack of support) on failure.
  bool Ask(std::string_view device, void* data, std::string_view what) {
    ifreq request{};
    device.copy(request.ifr_name, IFNAMSIZ - 1);
    request.ifr_data = static_cast<char*>(data);
    if (::ioctl(fd_.get(), SIOCETHTOOL, &request) == 0) return true;
    const auto level = errno == EOPNOTSUPP || errno == ENODEV || errno == EPERM ? log::Level::kDebug
                                                                                : log::Level::kWarn;
    if (log::Enabled(level))
      log::Write(level, "Cannot ask a network device",
                 {{"what", what}, {"device", device}, {"error", std::strerror(errno)}});
    return false;
  }

  static void EmitModes(std::string_view device, std::uint32_t bits, const Metric& speed,
                        const Metric& autoneg, const Metric& pause, const Metric& asymmetric,
                        MetricWriter& out) {
    const auto has = [bits](unsigned bit) { return (bits >> bit & 1U) != 0; };
    for (const Mode& m : kModes)
      if (has(m.bit))
        Emit(out, speed,
             {{"device", device}, {"duplex", m.full ? "full" : "half"}, {"mode", m.name}},
             m.mbit * 125000.0);
    Emit(out, autoneg, {{"device", device}}, has(kAutonegBit) ? 1 : 0);
    Emit(out, pause, {{"device", device}}, has(kPauseBit) ? 1 : 0);
    Emit(out, asymmetric, {{"device", device}}, has(kAsymPauseBit) ? 1 : 0);
  }

  void CollectLink(std::string_view device, MetricWriter& out) {
    ethtool_cmd link{};
    link.cmd = ETHTOOL_GSET;
    if (!Ask(device, &link, "link")) return;
    EmitModes(
        device, link.supported,
        {"node_network_supported_speed_bytes", kGauge, "Speed of a mode it supports."},
        {"node_network_autonegotiate_supported", kGauge, "1 if it can negotiate."},
        {"node_network_pause_supported", kGauge, "1 if it can pause."},
        {"node_network_asymmetricpause_supported", kGauge, "1 if it can pause in one direction."},
        out);
    for (const auto& [bit, name] : kPorts)
      if ((link.supported >> bit & 1U) != 0)
        Emit(out, {"node_network_supported_port_info", kGauge, "Always 1; a kind of port it has."},
             {{"device", device}, {"type", name}}, 1);
    EmitModes(device, link.advertising,
              {"node_network_advertised_speed_bytes", kGauge, "Speed of a mode it offers."},
              {"node_network_autonegotiate_advertised", kGauge, "1 if it offers to negotiate."},
              {"node_network_pause_advertised", kGauge, "1 if it offers to pause."},
              {"node_network_asymmetricpause_advertised", kGauge,
               "1 if it offers to pause in one direction."},
              out);
    Emit(out, {"node_network_autonegotiate", kGauge, "1 if it negotiates."}, {{"device", device}},
         link.autoneg);
  }

  void CollectDriver(std::string_view device, MetricWriter& out) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    if (!Ask(device, &info, "driver")) return;
    Emit(out, {"node_ethtool_info", kGauge, "Always 1; driver and firmware of a device."},
         {{"bus_info", FixedText(info.bus_info, sizeof info.bus_info)},
          {"device", device},
          {"driver", FixedText(info.driver, sizeof info.driver)},
          {"expansion_rom_version", FixedText(info.erom_version, sizeof info.erom_version)},
          {"firmware_version", FixedText(info.fw_version, sizeof info.fw_version)},
          {"version", FixedText(info.version, sizeof info.version)}},
         1);
  }

  void CollectStats(std::string_view device, MetricWriter& out) {
    ethtool_drvinfo info{};
    info.cmd = ETHTOOL_GDRVINFO;
    constexpr std::uint32_t kMostStats = 65536;
    if (!Ask(device, &info, "statistics") || info.n_stats == 0 || info.n_stats > kMostStats) return;
    const std::size_t count = info.n_stats;
    names_buffer_.assign(sizeof(ethtool_gstrings) + count * ETH_GSTRING_LEN, '\0');
    ethtool_gstrings strings{};
    strings.cmd = ETHTOOL_GSTRINGS;
    strings.string_set = ETH_SS_STATS;
    strings.len = info.n_stats;
    std::memcpy(names_buffer_.data(), &strings, sizeof strings);
    if (!Ask(device, names_buffer_.data(), "names of statistics")) return;
    values_.assign(count + 1, 0);  // the header takes the place of one
    ethtool_stats stats{};
    stats.cmd = ETHTOOL_GSTATS;
    stats.n_stats = info.n_stats;
    std::memcpy(values_.data(), &stats, sizeof stats);
    if (!Ask(device, values_.data(), "statistics")) return;
    // Two names may become one: then neither is shown.
    std::map<std::string, std::pair<double, int>> found;
    for (std::size_t i = 0; i < count; ++i) {
      const std::string stat = Sanitized(Trim(
          FixedText(names_buffer_.data() + sizeof strings + i * ETH_GSTRING_LEN, ETH_GSTRING_LEN)));
      if (stat.empty() || !metrics_.Matches(stat)) continue;
      const std::string_view known = KnownName(stat);
      auto& entry = found[known.empty() ? MetricName(stat) : std::string(known)];
      entry.first = static_cast<double>(values_[i + 1]);
      ++entry.second;
    }
    for (const auto& [name, entry] : found) {
      if (entry.second != 1) continue;
      out.Family(name, kUntyped, "Statistic of the driver of a network device.");
      out.Sample({{"device", device}}, entry.first);
    }
  }

  const std::string class_;
  NameFilter devices_;
  const Pattern metrics_;
  DirList names_;
  Fd fd_;
  std::string names_buffer_;
  std::vector<std::uint64_t> values_;
};
static_assert(sizeof(ethtool_stats) == sizeof(std::uint64_t));

void Declare(FlagSet& flags) {
  flags.Text("collector.ethtool.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
  flags.Text("collector.ethtool.device-exclude", "",
             "Regexp of devices to leave out (not together with device-include).");
  flags.Text("collector.ethtool.metrics-include", ".*", "Regexp of statistics to include.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  const std::string& exclude = context.flags.GetText("collector.ethtool.device-exclude");
  const std::string& include = context.flags.GetText("collector.ethtool.device-include");
  if (!exclude.empty() && !include.empty())
    return Fail(ErrorCode::kInvalidArgument,
                "device-exclude and device-include cannot be used together");
  MILLRACE_ASSIGN(NameFilter devices, NameFilter::Make(exclude, include));
  MILLRACE_ASSIGN(Pattern metrics,
                  Pattern::Make(context.flags.GetText("collector.ethtool.metrics-include")));
  return std::make_unique<Ethtool>(context, std::move(devices), std::move(metrics));
}

}  // namespace

MILLRACE_COLLECTOR(Ethtool) = {"ethtool", false, "Driver statistics of network devices", &Declare,
                               &Make};

}  // namespace millrace::node
