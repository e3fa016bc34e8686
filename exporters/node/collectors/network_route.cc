#include <map>
#include <vector>

#include <arpa/inet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include "exporters/node/attributes.h"
#include "exporters/node/netlink_socket.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// include/uapi/linux/rtnetlink.h, RTPROT_*
constexpr std::pair<unsigned, std::string_view> kProtocols[] = {
    {0, "unspec"}, {1, "redirect"}, {2, "kernel"},   {3, "boot"},   {4, "static"},    {8, "gated"},
    {9, "ra"},     {10, "mrt"},     {11, "zebra"},   {12, "bird"},  {13, "dnrouted"}, {14, "xorp"},
    {15, "ntk"},   {16, "dhcp"},    {17, "mrouted"}, {42, "babel"}, {186, "bgp"},     {187, "isis"},
    {188, "ospf"}, {189, "rip"},    {192, "eigrp"}};

std::string_view ProtocolName(unsigned protocol) {
  for (const auto& [number, name] : kProtocols)
    if (number == protocol) return name;
  return "unknown";
}

std::string AddressText(std::string_view bytes) {
  char text[INET6_ADDRSTRLEN] = "";
  if (bytes.size() == 4) inet_ntop(AF_INET, bytes.data(), text, sizeof text);
  if (bytes.size() == 16) inet_ntop(AF_INET6, bytes.data(), text, sizeof text);
  return text;
}

struct Hop {
  std::uint32_t interface = 0;
  std::string gateway, weight;
};
struct Route {
  unsigned type = 0, protocol = 0, prefix = 0;
  std::string source, destination;
  std::uint32_t priority = 0;
  std::vector<Hop> hops;
};

/// One RTM_NEWROUTE message.
Route ParseRoute(std::string_view payload) {
  Route r;
  const auto message = StructAt<rtmsg>(payload);
  r.type = message.rtm_type;
  r.protocol = message.rtm_protocol;
  r.prefix = message.rtm_dst_len;
  Hop direct;
  EachAttribute(
      payload.substr(std::min(NLMSG_ALIGN(sizeof message), payload.size())),
      [&](unsigned type, std::string_view value) {
        switch (type) {
          case RTA_DST:
            r.destination = AddressText(value) + "/" + std::to_string(r.prefix);
            break;
          case RTA_PREFSRC:
            r.source = AddressText(value);
            break;
          case RTA_GATEWAY:
            direct.gateway = AddressText(value);
            break;
          case RTA_OIF:
            direct.interface = StructAt<std::uint32_t>(value);
            break;
          case RTA_PRIORITY:
            r.priority = StructAt<std::uint32_t>(value);
            break;
          case RTA_MULTIPATH:
            while (value.size() >= sizeof(rtnexthop)) {
              const auto next = StructAt<rtnexthop>(value);
              if (next.rtnh_len < sizeof next || next.rtnh_len > value.size()) break;
              Hop hop{static_cast<std::uint32_t>(next.rtnh_ifindex), "",
                      std::to_string(next.rtnh_hops + 1)};
              EachAttribute(value.substr(sizeof next, next.rtnh_len - sizeof next),
                            [&](unsigned inner, std::string_view v) {
                              if (inner == RTA_GATEWAY) hop.gateway = AddressText(v);
                            });
              r.hops.push_back(std::move(hop));
              value.remove_prefix(std::min<std::size_t>(RTNH_ALIGN(next.rtnh_len), value.size()));
            }
            break;
          default:
            break;
        }
      });
  if (r.hops.empty()) r.hops.push_back(std::move(direct));
  if (r.prefix == 0) r.destination = "default";
  return r;
}

class NetworkRoute : public Collector {
 public:
  explicit NetworkRoute(const Context&) {}

  Status Collect(MetricWriter& out) override {
    routes_.clear();
    rtmsg request{};
    request.rtm_family = AF_UNSPEC;
    MILLRACE_TRY(socket_.Request(RTM_GETROUTE, NLM_F_DUMP, BytesOf(request),
                                 [this](std::uint16_t type, std::string_view payload) {
                                   if (type == RTM_NEWROUTE) routes_.push_back(ParseRoute(payload));
                                 }));
    std::map<std::string, double> by_device;
    for (const Route& r : routes_) {
      if (r.type != RTN_UNICAST) continue;
      for (const Hop& hop : r.hops) {
        char name[IF_NAMESIZE] = "";
        if (hop.interface != 0) ::if_indextoname(hop.interface, name);
        Emit(out, {"node_network_route_info", kGauge, "Always 1; a route."},
             {{"dest", r.destination},
              {"device", name},
              {"gw", hop.gateway},
              {"priority", NumberText(r.priority).view()},
              {"proto", ProtocolName(r.protocol)},
              {"src", r.source},
              {"weight", hop.weight}},
             1);
        by_device[name] += 1;
      }
    }
    for (const auto& [device, count] : by_device)
      Emit(out, {"node_network_routes", kGauge, "Routes of a device."}, {{"device", device}},
           count);
    return {};
  }

 private:
  NetlinkSocket socket_{NETLINK_ROUTE};
  std::vector<Route> routes_;
};

}  // namespace

MILLRACE_COLLECTOR(NetworkRoute) = {"network_route", false, "The routing table", nullptr,
                                    &MakeCollector<NetworkRoute>};

}  // namespace millrace::node
