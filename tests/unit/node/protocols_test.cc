// Parsers of answers of the kernel and of daemons.
#include <cstring>

#include <linux/nl80211.h>

#include "exporters/node/cgroup_tree.h"
#include "exporters/node/collectors/nl80211.h"
#include "exporters/node/collectors/ntp_packet.h"
#include "exporters/node/collectors/pci_ids.h"
#include "exporters/node/collectors/xmlrpc.h"
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

namespace millrace::node {
namespace {

using Catch::Contains;
using test::Collected;

TEST_CASE("A wireless station's attributes") {
  std::string rate, info, message;
  AppendAttribute(rate, NL80211_RATE_INFO_BITRATE, BytesOf(std::uint16_t{65535}));
  AppendAttribute(rate, NL80211_RATE_INFO_BITRATE32, BytesOf(std::uint32_t{2560}));
  AppendAttribute(info, NL80211_STA_INFO_SIGNAL, BytesOf(std::int8_t{-52}));
  AppendAttribute(info, NL80211_STA_INFO_INACTIVE_TIME, BytesOf(std::uint32_t{400}));
  AppendAttribute(info, NL80211_STA_INFO_RX_BYTES64, BytesOf(std::uint64_t{1} << 40));
  AppendAttribute(info, NL80211_STA_INFO_RX_BYTES, BytesOf(std::uint32_t{7}));
  AppendAttribute(info, NL80211_STA_INFO_TX_BITRATE | NLA_F_NESTED, rate);
  AppendAttribute(message, NL80211_ATTR_MAC, "\xaa\xbb\xcc\x01\x02\x03");
  AppendAttribute(message, NL80211_ATTR_STA_INFO | NLA_F_NESTED, info);
  const WifiStation s = ParseWifiStation(message);
  CHECK(s.mac == "aa:bb:cc:01:02:03");
  CHECK(s.signal_dbm == -52);
  CHECK(s.inactive_seconds == 0.4);
  CHECK(s.receive_bytes == 1099511627776.0);
  CHECK(s.transmit_bits == 256e6);
  // Cut anywhere, it must not read beyond its end (the sanitizers watch).
  for (std::size_t n = 0; n < message.size(); ++n)
    static_cast<void>(ParseWifiStation(message.substr(0, n)));
}

std::string NtpAnswerPacket(NtpTime origin, NtpTime receive, NtpTime transmit) {
  std::string p(48, '\0');
  p[0] = 4 << 3 | 4;
  p[1] = 2;
  const auto put = [&p](std::size_t at, std::uint64_t value) {
    for (int i = 0; i < 8; ++i)
      p[at + static_cast<unsigned>(i)] = static_cast<char>(value >> (56 - 8 * i));
  };
  put(16, transmit - (NtpTime{60} << 32));
  put(24, origin);
  put(32, receive);
  put(40, transmit);
  return p;
}

TEST_CASE("An NTP answer gives round trip and offset") {
  const NtpTime sent = ToNtpTime(1'700'000'000, 0);
  const NtpTime second = NtpTime{1} << 32;
  const auto a = ParseNtpAnswer(NtpAnswerPacket(sent, sent + 5 * second, sent + 6 * second), sent,
                                sent + 3 * second);
  REQUIRE(a);
  CHECK(a->stratum == 2);
  CHECK(a->rtt == 2);
  CHECK(a->offset == 4);
  CHECK(a->root_distance == 1);
  CHECK(a->minimum_error == 3);
  CHECK(IsSane(*a));
  CHECK(UnixSeconds(sent) == 1'700'000'000);
  // Not ours, not an answer, too short.
  CHECK_FALSE(ParseNtpAnswer(NtpAnswerPacket(sent + 1, sent, sent), sent, sent));
  CHECK_FALSE(ParseNtpAnswer(NtpRequest(4, sent), sent, sent));
  CHECK_FALSE(ParseNtpAnswer("x", sent, sent));
  NtpAnswer bad = *a;
  bad.leap = 3;
  CHECK_FALSE(IsSane(bad));
  bad = *a;
  bad.stratum = 16;
  CHECK_FALSE(IsSane(bad));
}

TEST_CASE("An XML-RPC process list") {
  const auto list = ParseXmlRpcStructs(
      "<?xml version='1.0'?><methodResponse><params><param><value><array><data><value><struct>"
      "<member><name>name</name><value><string>a&amp;b</string></value></member>"
      "<member><name>state</name><value><int>20</int></value></member>"
      "</struct></value><value><struct><member><name>name</name><value>plain</value></member>"
      "</struct></value></data></array></value></param></params></methodResponse>");
  REQUIRE(list);
  REQUIRE(list->size() == 2);
  CHECK((*list)[0].at("name") == "a&b");
  CHECK((*list)[0].at("state") == "20");
  CHECK((*list)[1].at("name") == "plain");
  CHECK_FALSE(ParseXmlRpcStructs("<html>"));
  CHECK_FALSE(ParseXmlRpcStructs("<methodResponse><fault>x</fault></methodResponse>"));
  CHECK(ParseXmlRpcStructs("<methodResponse><struct><member>").value().empty());
}

TEST_CASE("PCI names, most specific first") {
  const std::string ids =
      "8086  Intel\n\t1521  I350\n\t\t1028 00a3  Dell\n144d  Samsung\n1028  Dell Inc.\n"
      "C 01  Mass storage\n\t08  NVM controller\n\t\t02  NVM Express\n";
  const PciNames n = FindPciNames(ids, {0x8086, 0x1521, 0x1028, 0x00a3, 0x010802});
  CHECK(n.vendor == "Intel");
  CHECK(n.device == "I350");
  CHECK(n.subsystem_vendor == "Dell Inc.");
  CHECK(n.subsystem_device == "Dell");
  CHECK(n.class_name == "NVM Express");
  const PciNames none = FindPciNames("", {1, 2, 3, 4, 5});
  CHECK(none.vendor == "0001");
  CHECK(none.class_name == "Unknown class (000005)");
}

TEST_CASE("Owners of control groups") {
  const std::string id(64, 'a');
  const std::string docker_path = "/system.slice/docker-" + id + ".scope";
  const auto docker = OwnerOf(docker_path);
  CHECK(docker.container == id);
  CHECK(docker.unit == "docker-" + id + ".scope");
  const std::string pod_path =
      "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod"
      "1234abcd_1111_2222_3333_444455556666.slice/cri-containerd-" +
      id + ".scope";
  CHECK(OwnerOf(pod_path).pod == "1234abcd-1111-2222-3333-444455556666");
  CHECK(OwnerOf(pod_path).container == id);
  const std::string cgroupfs_path = "/docker/" + id;
  CHECK(OwnerOf(cgroupfs_path).container == id);
  CHECK(OwnerOf(cgroupfs_path).unit.empty());
  CHECK(OwnerOf("/system.slice/nginx.service").unit == "nginx.service");
  CHECK(OwnerOf("/system.slice/nginx.service").container.empty());
  CHECK(OwnerOf("/user.slice").unit.empty());
  CHECK(OwnerOf("/x/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa").container.empty());
}

TEST_CASE("oom_kills: by unit and container") {
  const std::string id(64, 'b');
  const std::string root = "sys/fs/cgroup/";
  const auto text = Collected(
      "oom_kills", {{root + "cgroup.controllers", "memory\n"},
                    {root + "system.slice/memory.events", "oom_kill 9\n"},
                    {root + "system.slice/a.service/memory.events", "low 0\noom 2\noom_kill 3\n"},
                    {root + "system.slice/a.service/memory.events.local", "oom_kill 1\n"},
                    {root + "docker/" + id + "/memory.events", "oom_kill 2\n"}});
  CHECK(text ==
        "# TYPE node_oom_kills_total counter\n"
        "node_oom_kills_total{cgroup=\"/docker/" +
            id + "\",container=\"" + id +
            "\",pod=\"\",unit=\"\"} 2\n"
            "node_oom_kills_total{cgroup=\"/system.slice/a.service\",container=\"\",pod=\"\","
            "unit=\"a.service\"} 1\n"
            "# TYPE node_oom_kills_truncated gauge\nnode_oom_kills_truncated 0\n");
  CHECK_THAT(Collected("oom_kills", {{root + "memory/b.service/memory.oom_control",
                                      "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"}}),
             Contains("unit=\"b.service\"} 4\n"));
  CHECK_THAT(Collected("oom_kills", {}), Contains("error: no control groups"));
}

TEST_CASE("cgroup_pressure: those under the most pressure") {
  const std::string root = "sys/fs/cgroup/";
  const auto pressure = [](const std::string& average, int total) {
    return "some avg10=0.00 avg60=0.00 avg300=" + average + " total=" + std::to_string(total) +
           "\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=500000\n";
  };
  const auto text = Collected("cgroup_pressure",
                              {{root + "cgroup.controllers", "cpu\n"},
                               {root + "a.service/cpu.pressure", pressure("1.50", 1'000'000)},
                               {root + "b.service/cpu.pressure", pressure("7.00", 2'000'000)},
                               {root + "c.service/io.pressure", pressure("3.00", 3'000'000)}},
                              {"--collector.cgroup_pressure.top=2"});
  CHECK_THAT(text, Contains("cpu_waiting_seconds_total{cgroup=\"/b.service\",container=\"\",pod="
                            "\"\",unit=\"b.service\"} 2\n") &&
                       Contains("io_stalled_seconds_total{cgroup=\"/c.service\"") &&
                       !Contains("a.service"));
  CHECK_THAT(Collected("cgroup_pressure", {{root + "cgroup.controllers", ""}}),
             Contains("error: no pressure files"));
}

TEST_CASE("runit: the status of a service") {
  std::string status(20, '\0');
  const std::uint64_t tai = (std::uint64_t{1} << 62) + 10 + 1'500'000'000;
  for (int i = 0; i < 8; ++i)
    status[static_cast<unsigned>(i)] = static_cast<char>(tai >> (56 - 8 * i));
  status[17] = 'u';
  status[19] = 1;
  const test::Tree tree(
      {{"service/a/supervise/status", status}, {"service/b/supervise/status", "short"}});
  const auto text = test::CollectedFrom(
      "runit", tree, {"--collector.runit.servicedir=" + tree.root() + "/service"});
  CHECK_THAT(text,
             Contains("node_service_state{service=\"a\",supervisor=\"runit\"} 1\n") &&
                 Contains("_timestamp_seconds{service=\"a\",supervisor=\"runit\"} 1.5e+09\n") &&
                 !Contains("service=\"b\""));
}

TEST_CASE("perf and ntp refuse bad flags") {
  CHECK_THAT(Collected("perf", {}, {"--collector.perf.cpus=x"}), Contains("error: "));
  CHECK_THAT(Collected("perf", {}, {"--collector.perf.hardware-profilers=Nope"}),
             Contains("error: "));
  CHECK_THAT(Collected("perf", {}, {"--collector.perf.tracepoint=nocolon"}), Contains("error: "));
  CHECK_THAT(Collected("ntp", {}, {"--collector.ntp.server=example.org"}), Contains("error: "));
  CHECK_THAT(Collected("ntp", {}, {"--collector.ntp.protocol-version=9"}), Contains("error: "));
}

}  // namespace
}  // namespace millrace::node
