#include <array>
#include <map>
#include <string>
#include <vector>

#include <arpa/inet.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::array<Metric, 5> kTotals = {{
    {"node_ipvs_connections_total", kCounter, "Connections that were made."},
    {"node_ipvs_incoming_packets_total", kCounter, "Packets that came in."},
    {"node_ipvs_outgoing_packets_total", kCounter, "Packets that went out."},
    {"node_ipvs_incoming_bytes_total", kCounter, "Bytes that came in."},
    {"node_ipvs_outgoing_bytes_total", kCounter, "Bytes that went out."},
}};
constexpr std::array<Metric, 3> kBackend = {{
    {"node_ipvs_backend_weight", kGauge, "Weight of a backend."},
    {"node_ipvs_backend_connections_active", kGauge, "Active connections of a backend."},
    {"node_ipvs_backend_connections_inactive", kGauge, "Inactive connections of a backend."},
}};

enum Part : unsigned char {
  kLocalAddress,
  kLocalMark,
  kLocalPort,
  kProto,
  kRemoteAddress,
  kRemotePort,
  kParts
};
constexpr std::array<std::string_view, kParts> kPartNames = {
    "local_address", "local_mark", "local_port", "proto", "remote_address", "remote_port"};

struct Endpoint {
  std::string address, port;
};

// "0A000001:0050", or "[fd00:...]:0050" with eight groups of four digits.
Result<Endpoint> ParseEndpoint(const std::string& path, std::string_view text) {
  constexpr std::size_t kV4 = 13;
  constexpr std::size_t kV6 = 46;
  std::array<char, INET6_ADDRSTRLEN> name{};
  if (text.size() != kV4 && text.size() != kV6) return BadContent(path, "address", text);
  const auto port = ParseNumber<std::uint16_t>(text.substr(text.size() - 4), 16);
  if (!port) return BadContent(path, "port", text);
  if (text.size() == kV4) {
    const auto bits = ParseNumber<std::uint32_t>(text.substr(0, 8), 16);
    if (!bits) return BadContent(path, "address", text);
    const in_addr address{htonl(*bits)};
    ::inet_ntop(AF_INET, &address, name.data(), name.size());
  } else {
    in6_addr address{};
    if (::inet_pton(AF_INET6, std::string(text.substr(1, 39)).c_str(), &address) != 1)
      return BadContent(path, "address", text);
    ::inet_ntop(AF_INET6, &address, name.data(), name.size());
  }
  return Endpoint{name.data(), std::string(NumberText(*port).view())};
}

class Ipvs : public Collector {
 public:
  Ipvs(const Context& context, std::array<bool, kParts> wanted)
      : stats_(context.paths.Proc("net/ip_vs_stats")),
        table_(context.paths.Proc("net/ip_vs")),
        wanted_(wanted) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(Totals(out));
    return Backends(out);
  }

 private:
  // Two lines of headings, then the totals in hexadecimal.
  Status Totals(MetricWriter& out) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(stats_));
    std::string_view line;
    for (int i = 0; i < 3; ++i)
      if (!NextLine(rest, line)) return BadContent(stats_, "content", "");
    const Words<kTotals.size()> words(line);
    if (words.size() != kTotals.size()) return BadContent(stats_, "line", line);
    for (std::size_t i = 0; i < kTotals.size(); ++i) {
      const auto value = ParseNumber<std::uint64_t>(words[i], 16);
      if (!value) return BadContent(stats_, "number", words[i]);
      out.Family(kTotals[i]);
      out.Sample(static_cast<double>(*value));
    }
    return {};
  }

  Status Backends(MetricWriter& out) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(table_));
    sums_.clear();
    std::array<std::string, kParts> key;
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<6> words(line);
      if (words[0] == "TCP" || words[0] == "UDP" || words[0] == "FWM") {
        key[kProto] = words[0];
        Endpoint local;
        if (words[0] == "FWM") {
          local.port = "0";
        } else {
          MILLRACE_ASSIGN(local, ParseEndpoint(table_, words[1]));
        }
        key[kLocalMark] = words[0] == "FWM" ? words[1] : std::string_view();
        key[kLocalAddress] = local.address;
        key[kLocalPort] = local.port;
      } else if (words[0] == "->" && words.size() >= 6 && words[1] != "RemoteAddress:Port") {
        MILLRACE_ASSIGN(Endpoint remote, ParseEndpoint(table_, words[1]));
        key[kRemoteAddress] = remote.address;
        key[kRemotePort] = remote.port;
        MILLRACE_TRY(Add(key, words));
      }
    }
    std::vector<Label> labels;
    for (std::size_t m = 0; m < kBackend.size(); ++m) {
      out.Family(kBackend[m]);
      for (const auto& [parts, values] : sums_) {
        labels.clear();
        for (std::size_t p = 0; p < kParts; ++p)
          if (wanted_[p]) labels.push_back({kPartNames[p], parts[p]});
        out.Sample(labels, values[m]);
      }
    }
    return {};
  }

  // Backends that differ only in parts nobody wants are added up.
  Status Add(std::array<std::string, kParts> key, const Words<6>& words) {
    for (std::size_t p = 0; p < kParts; ++p)
      if (!wanted_[p]) key[p].clear();
    auto& sum = sums_[std::move(key)];
    for (std::size_t i = 0; i < sum.size(); ++i) {
      const auto value = ParseNumber<std::uint64_t>(words[3 + i]);
      if (!value) return BadContent(table_, "number", words[3 + i]);
      sum[i] += static_cast<double>(*value);
    }
    return {};
  }

  const std::string stats_, table_;
  const std::array<bool, kParts> wanted_;
  FileReader files_;
  std::map<std::array<std::string, kParts>, std::array<double, kBackend.size()>> sums_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.ipvs.backend-labels",
             "local_address,local_port,remote_address,remote_port,proto,local_mark",
             "Labels of backends, with commas between.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  std::array<bool, kParts> wanted{};
  std::string_view rest = context.flags.GetText("collector.ipvs.backend-labels");
  while (!rest.empty()) {
    const std::string_view name = NextPiece(rest, ',');
    if (name.empty()) continue;
    const auto* found = std::find(kPartNames.begin(), kPartNames.end(), name);
    if (found == kPartNames.end())
      return Fail(ErrorCode::kInvalidArgument,
                  "unknown IPVS backend labels: \"" + std::string(name) + "\"");
    wanted[static_cast<std::size_t>(found - kPartNames.begin())] = true;
  }
  return std::make_unique<Ipvs>(context, wanted);
}

}  // namespace

MILLRACE_COLLECTOR(Ipvs) = {"ipvs", true, "IP virtual server", &Declare, &Make};

}  // namespace millrace::node
