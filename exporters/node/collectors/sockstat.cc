#include <algorithm>
#include <array>
#include <string>

#include <unistd.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr std::array<std::string_view, 6> kStates = {"inuse", "orphan", "tw",
                                                     "alloc", "mem",    "memory"};

class Sockstat : public Collector {
 public:
  explicit Sockstat(const Context& context)
      : v4_(context.paths.Proc("net/sockstat")),
        v6_(context.paths.Proc("net/sockstat6")),
        page_(static_cast<double>(::sysconf(_SC_PAGESIZE))) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(File(out, v4_));
    return File(out, v6_);
  }

 private:
  // "TCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1". A kernel without IPv4 or IPv6 lacks its file.
  Status File(MetricWriter& out, const std::string& path) {
    auto text = files_.Read(path);
    if (!text && text.error().code == ErrorCode::kNotFound) return {};
    if (!text) return tl::make_unexpected(std::move(text).error());
    std::string_view rest = *text;
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view words = line;
      std::string_view protocol = NextWord(words);
      if (!protocol.ends_with(':')) return BadContent(path, "line", line);
      protocol.remove_suffix(1);
      MILLRACE_TRY(Pairs(out, path, protocol, words));
    }
    return {};
  }

  Status Pairs(MetricWriter& out, const std::string& path, std::string_view protocol,
               std::string_view words) {
    for (auto key = NextWord(words); !key.empty(); key = NextWord(words)) {
      const std::string_view number = NextWord(words);
      const auto value = ParseNumber<std::int64_t>(number);
      if (!value) return BadContent(path, "number", number);
      const auto count = static_cast<double>(*value);
      if (protocol == "sockets") {
        if (key == "used") out.Gauge("node_sockstat_sockets_used", "Sockets in use.", count);
        continue;
      }
      if (std::find(kStates.begin(), kStates.end(), key) == kStates.end()) continue;
      name_.assign("node_sockstat_").append(protocol).append("_").append(key);
      out.Gauge(name_, "Sockets, or their memory, by protocol.", count);
      if (key != "mem") continue;
      name_ += "_bytes";
      out.Gauge(name_, "Memory of a protocol's sockets, in bytes.", count * page_);
    }
    return {};
  }

  const std::string v4_, v6_;
  const double page_;
  FileReader files_;
  std::string name_;
};

}  // namespace

MILLRACE_COLLECTOR(Sockstat) = {"sockstat", true, "Sockets by protocol", nullptr,
                                &MakeCollector<Sockstat>};

}  // namespace millrace::node
