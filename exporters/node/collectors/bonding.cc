#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

class Bonding : public Collector {
 public:
  explicit Bonding(const Context& context) : net_(context.paths.Sys("class/net")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(const std::string_view text,
                    files_.Read(JoinPath(path_, {net_, "bonding_masters"})));
    names_.assign(text);
    bonds_.clear();
    std::string_view rest = names_;
    for (auto master = NextWord(rest); !master.empty(); master = NextWord(rest)) {
      MILLRACE_ASSIGN(const Bond bond, Read(master));
      bonds_.push_back(bond);
    }
    out.Family("node_bonding_active", kGauge, "Slaves of a bonding interface that are up.");
    for (const Bond& b : bonds_) out.Sample({{"master", b.master}}, b.active);
    out.Family("node_bonding_slaves", kGauge, "Slaves configured for a bonding interface.");
    for (const Bond& b : bonds_) out.Sample({{"master", b.master}}, b.slaves);
    return {};
  }

 private:
  struct Bond {
    std::string_view master;
    double slaves = 0, active = 0;
  };

  Result<Bond> Read(std::string_view master) {
    MILLRACE_ASSIGN(const std::string_view text,
                    files_.Read(JoinPath(path_, {net_, master, "bonding/slaves"})));
    slaves_.assign(text);
    Bond bond{master};
    std::string_view rest = slaves_;
    for (auto slave = NextWord(rest); !slave.empty(); slave = NextWord(rest)) {
      std::optional<std::string_view> state;
      // Before Linux 3.13 the link to a slave was called slave_*.
      for (const std::string_view prefix : {"lower_", "slave_"}) {
        link_.assign(prefix).append(slave);
        state = files_.Try(JoinPath(path_, {net_, master, link_, "bonding_slave/mii_status"}));
        if (state) break;
      }
      if (!state) return FailErrno("open " + path_, files_.last_errno());
      ++bond.slaves;
      if (*state == "up") ++bond.active;
    }
    return bond;
  }

  const std::string net_;
  FileReader files_;
  std::string path_, link_, names_, slaves_;
  std::vector<Bond> bonds_;
};

}  // namespace

MILLRACE_COLLECTOR(Bonding) = {"bonding", true, "Slaves of bonding interfaces", nullptr,
                               &MakeCollector<Bonding>};

}  // namespace millrace::node
