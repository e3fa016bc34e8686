#include <map>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::string_view kHelp = "A counter of the kernel's network protocols.";

class Netstat : public Collector {
 public:
  Netstat(const Context& context, NameFilter fields)
      : netstat_(context.paths.Proc("net/netstat")),
        snmp_(context.paths.Proc("net/snmp")),
        snmp6_(context.paths.Proc("net/snmp6")),
        fields_(std::move(fields)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(Pairs(out, netstat_));
    MILLRACE_TRY(Pairs(out, snmp_));
    return Snmp6(out);
  }

 private:
  // What the names line of a protocol means. Names never change while the kernel runs, so the
  // fields that are wanted are looked up once.
  struct Layout {
    std::string names_line;
    std::size_t count = 0;
    std::vector<std::pair<std::size_t, std::string>> wanted;  // column, name of the family
  };

  // Two lines a protocol: "Tcp: RtoAlgorithm RtoMin ..." and "Tcp: 1 200 ...".
  Status Pairs(MetricWriter& out, const std::string& path) {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path));
    std::string_view names;
    std::string_view values;
    while (NextLine(rest, names)) {
      const auto colon = names.find(':');
      if (colon == std::string_view::npos || !NextLine(rest, values))
        return BadContent(path, "line", names);
      const Layout& layout = LayoutOf(names, names.substr(0, colon));
      NextWord(values);
      std::size_t column = 0;
      for (const auto& [wanted, name] : layout.wanted) {
        std::string_view word;
        for (; column <= wanted; ++column) word = NextWord(values);
        const auto value = ParseNumber<double>(word);
        if (!value) return BadContent(path, "number", word);
        out.Family(name, kUntyped, kHelp);
        out.Sample(*value);
      }
      while (!NextWord(values).empty()) ++column;
      if (column != layout.count) return BadContent(path, "number of values behind", names);
    }
    return {};
  }

  const Layout& LayoutOf(std::string_view line, std::string_view protocol) {
    auto found = layouts_.find(protocol);
    if (found == layouts_.end()) found = layouts_.emplace(protocol, Layout()).first;
    Layout& layout = found->second;
    if (layout.names_line == line) return layout;
    layout.names_line.assign(line);
    layout.count = 0;
    layout.wanted.clear();
    std::string_view words = line;
    NextWord(words);
    for (auto name = NextWord(words); !name.empty(); name = NextWord(words), ++layout.count) {
      key_.assign(protocol).append("_").append(name);
      if (!fields_.Ignored(key_)) layout.wanted.emplace_back(layout.count, "node_netstat_" + key_);
    }
    return layout;
  }

  // "Ip6InReceives  123": the protocol ends with the first 6. Without IPv6 there is no file.
  Status Snmp6(MetricWriter& out) {
    auto text = files_.Read(snmp6_);
    if (!text && text.error().code == ErrorCode::kNotFound) return {};
    if (!text) return tl::make_unexpected(std::move(text).error());
    std::string_view rest = *text;
    std::string_view line;
    while (NextLine(rest, line)) {
      const std::string_view name = NextWord(line);
      const std::string_view number = NextWord(line);
      const auto six = name.find('6');
      if (number.empty() || six == std::string_view::npos) continue;
      key_.assign(name.substr(0, six + 1)).append("_").append(name.substr(six + 1));
      if (fields_.Ignored(key_)) continue;
      const auto value = ParseNumber<double>(number);
      if (!value) return BadContent(snmp6_, "number", number);
      name_.assign("node_netstat_").append(key_);
      out.Family(name_, kUntyped, kHelp);
      out.Sample(*value);
    }
    return {};
  }

  const std::string netstat_, snmp_, snmp6_;
  NameFilter fields_;
  FileReader files_;
  std::map<std::string, Layout, std::less<>> layouts_;
  std::string key_, name_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.netstat.fields",
             "^(.*_(InErrors|InErrs)|Ip_Forwarding|Ip(6|Ext)_(InOctets|OutOctets)|Icmp6?_(InMsgs|"
             "OutMsgs)|TcpExt_(Listen.*|Syncookies.*|TCPSynRetrans|TCPTimeouts|TCPOFOQueue|"
             "TCPRcvQDrop)|Tcp_(ActiveOpens|InSegs|OutSegs|OutRsts|PassiveOpens|RetransSegs|"
             "CurrEstab)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|RcvbufErrors|SndbufErrors))$",
             "Regexp of fields to write.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter fields,
                  NameFilter::Make("", context.flags.GetText("collector.netstat.fields")));
  return std::make_unique<Netstat>(context, std::move(fields));
}

}  // namespace

MILLRACE_COLLECTOR(Netstat) = {"netstat", true, "Counters of IP, TCP, UDP and ICMP", &Declare,
                               &Make};

}  // namespace millrace::node
