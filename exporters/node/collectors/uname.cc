#include <cerrno>

#include <sys/utsname.h>

#include "exporters/node/collector.h"

namespace millrace::node {
namespace {

class Uname : public Collector {
 public:
  explicit Uname(const Context&) {}

  Status Collect(MetricWriter& out) override {
    utsname u{};
    if (::uname(&u) != 0) return FailErrno("uname", errno);
    out.Family("node_uname_info", MetricType::kGauge,
               "What uname(2) says of the system, as labels.");
    out.Sample({{"domainname", u.domainname},
                {"machine", u.machine},
                {"nodename", u.nodename},
                {"release", u.release},
                {"sysname", u.sysname},
                {"version", u.version}},
               1);
    return {};
  }
};

}  // namespace

MILLRACE_COLLECTOR(Uname) = {"uname", true, "Kernel and host name", nullptr, &MakeCollector<Uname>};

}  // namespace millrace::node
