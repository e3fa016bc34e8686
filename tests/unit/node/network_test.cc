#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::Files;
using millrace::node::test::HasLine;

TEST_CASE("arp: entries by device, filter") {
  const Files files = {
      {"proc/net/arp",
       "IP address       HW type     Flags       HW address            Mask     Device\n"
       "192.168.1.1      0x1         0x2         cc:aa:dd:ee:aa:bb     *        eth0\n"
       "192.168.1.2      0x1         0x2         bb:cc:dd:ee:ff:aa     *        eth0\n"
       "10.0.0.1         0x1         0x2         bb:cc:dd:ee:ff:aa     *        eth1\n"}};
  CHECK(Collected("arp", files,
                  {"--no-collector.arp.netlink", "--collector.arp.device-exclude=eth1"}) ==
        "# TYPE node_arp_entries gauge\nnode_arp_entries{device=\"eth0\"} 2\n");
  CHECK(HasLine(Collected("arp", {{"proc/net/arp", "a b c\n"}}, {"--no-collector.arp.netlink"}),
                R"(error: proc/net/arp: bad line "a b c")"));
}

TEST_CASE("bonding: slaves and those that are up, old and new links") {
  const std::string dir = "sys/class/net/";
  CHECK(Collected("bonding", {{dir + "bonding_masters", "bond0 bond1\n"},
                              {dir + "bond0/bonding/slaves", "eth0 eth1\n"},
                              {dir + "bond0/lower_eth0/bonding_slave/mii_status", "up\n"},
                              {dir + "bond0/slave_eth1/bonding_slave/mii_status", "down\n"},
                              {dir + "bond1/bonding/slaves", "\n"}}) ==
        "# TYPE node_bonding_active gauge\nnode_bonding_active{master=\"bond0\"} 1\n"
        "node_bonding_active{master=\"bond1\"} 0\n# TYPE node_bonding_slaves gauge\n"
        "node_bonding_slaves{master=\"bond0\"} 2\nnode_bonding_slaves{master=\"bond1\"} 0\n");
}

TEST_CASE("conntrack: sums over processors, hexadecimal") {
  const std::string text =
      Collected("conntrack", {{"proc/sys/net/netfilter/nf_conntrack_count", "123\n"},
                              {"proc/sys/net/netfilter/nf_conntrack_max", "65536\n"},
                              {"proc/net/stat/nf_conntrack",
                               "entries  searched found new invalid ignore\n"
                               "21 0 1 0 3 a 0 0 0 0 0 0 0 0 0 0 2\n"
                               "21 0 1 0 3 a 0 0 0 0 0 0 0 0 0 0 2\n"}});
  CHECK(HasLine(text, "node_nf_conntrack_entries 123"));
  CHECK(HasLine(text, "node_nf_conntrack_stat_ignore 20"));
  CHECK(HasLine(text, "node_nf_conntrack_stat_search_restart 4"));
}

TEST_CASE("infiniband: state, rate, counters by lane, what is not supported") {
  const std::string device = "sys/class/infiniband/mlx4_0/";
  const std::string port = device + "ports/1/";
  const std::string text =
      Collected("infiniband", {{device + "fw_ver", "2.31\n"},
                               {device + "board_id", "SM\n"},
                               {device + "hca_type", "MT\n"},
                               {port + "state", "4: ACTIVE\n"},
                               {port + "phys_state", "5: LinkUp\n"},
                               {port + "rate", "40 Gb/sec (4X QDR)\n"},
                               {port + "counters/port_rcv_data", "10\n"},
                               {port + "counters/symbol_error", "N/A (no PMA)\n"}});
  CHECK(HasLine(
      text,
      R"(node_infiniband_info{board_id="SM",device="mlx4_0",firmware_version="2.31",hca_type="MT"} 1)"));
  CHECK(HasLine(text, R"(node_infiniband_state_id{device="mlx4_0",port="1"} 4)"));
  CHECK(HasLine(text, R"(node_infiniband_rate_bytes_per_second{device="mlx4_0",port="1"} 5e+09)"));
  CHECK(HasLine(text,
                R"(node_infiniband_port_data_received_bytes_total{device="mlx4_0",port="1"} 40)"));
  CHECK(text.find("symbol_error") == std::string::npos);
}

TEST_CASE("ipvs: totals, backends, sums over labels nobody wants") {
  const Files files = {
      {"proc/net/ip_vs_stats",
       "   Total Incoming Outgoing         Incoming         Outgoing\n   Conns  Packets  Packets   "
       "         Bytes            Bytes\n 16AA370 E33656E5        0     51D8C8883AB3        0\n\n "
       "Conns/s Pkts/s\n"},
      {"proc/net/ip_vs",
       "IP Virtual Server version 1.2.1 (size=4096)\nProt LocalAddress:Port Scheduler Flags\n"
       "  -> RemoteAddress:Port Forward Weight ActiveConn InActConn\n"
       "TCP  C0A80016:0CEA wlc\n  -> C0A85216:0CEA      Tunnel  100    248        2\n"
       "  -> C0A85318:0CEA      Tunnel  100    1          1\nFWM  10001000 wlc\n"
       "  -> [2620:0000:0000:0000:0000:0000:0000:0002]:0050      Route   10      5         0\n"}};
  const std::string text = Collected("ipvs", files);
  CHECK(HasLine(text, "node_ipvs_connections_total 2.3765872e+07"));
  CHECK(HasLine(
      text,
      R"(node_ipvs_backend_connections_active{local_address="192.168.0.22",local_mark="",local_port="3306",)"
      R"(proto="TCP",remote_address="192.168.82.22",remote_port="3306"} 248)"));
  CHECK(HasLine(
      text,
      R"(node_ipvs_backend_weight{local_address="",local_mark="10001000",local_port="0",proto="FWM",)"
      R"(remote_address="2620::2",remote_port="80"} 10)"));
  CHECK(HasLine(Collected("ipvs", files, {"--collector.ipvs.backend-labels=local_port"}),
                R"(node_ipvs_backend_connections_active{local_port="3306"} 249)"));
  CHECK(Collected("ipvs", files, {"--collector.ipvs.backend-labels=nope"}) ==
        "error: unknown IPVS backend labels: \"nope\"");
}

TEST_CASE("netclass: numbers, texts, speed that is not known") {
  const std::string dir = "sys/class/net/eth0/";
  const Files files = {{dir + "address", "01:02\n"}, {dir + "operstate", "up\n"},
                       {dir + "flags", "0x1303\n"},  {dir + "speed", "-1\n"},
                       {dir + "mtu", "1500\n"},      {"sys/class/net/bonding_masters", "\n"}};
  const std::string text = Collected("netclass", files);
  CHECK(HasLine(text, R"(node_network_up{device="eth0"} 1)"));
  CHECK(HasLine(text, R"(node_network_flags{device="eth0"} 4867)"));
  CHECK(HasLine(text, R"(node_network_speed_bytes{device="eth0"} -125000)"));
  CHECK(HasLine(
      text,
      R"(node_network_info{address="01:02",broadcast="",device="eth0",duplex="",ifalias="",operstate="up",adminstate="up"} 1)"));
  CHECK(Collected("netclass", files, {"--collector.netclass.ignore-invalid-speed"}).find("speed") ==
        std::string::npos);
  CHECK(Collected("netclass", files, {"--collector.netclass.ignored-devices=^eth"}).find("eth0") ==
        std::string::npos);
}

TEST_CASE("netdev: /proc/net/dev under both names") {
  const Files files = {{"proc/net/dev",
                        "Inter-|   Receive |  Transmit\n face |bytes packets|bytes\n"
                        "  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\nveth4B09XN: 648 8 0 0 0 0 "
                        "0 0 1943284 10640 0 0 0 0 0 0\n"}};
  const std::string text = Collected("netdev", files, {"--no-collector.netdev.netlink"});
  CHECK(HasLine(text, R"(node_network_receive_errs_total{device="eth0"} 3)"));
  CHECK(HasLine(text, R"(node_network_transmit_bytes_total{device="veth4B09XN"} 1.943284e+06)"));
  CHECK(HasLine(
      Collected("netdev", files,
                {"--no-collector.netdev.netlink", "--collector.netdev.enable-detailed-metrics"}),
      R"(node_network_receive_errors_total{device="eth0"} 3)"));
  CHECK(
      HasLine(Collected("netdev", {}),
              R"(# TYPE node_network_receive_bytes_total counter)"));  // netlink: lo is everywhere
}

TEST_CASE("netstat: wanted columns, IPv6, a count that does not fit") {
  const Files files = {
      {"proc/net/netstat", "TcpExt: SyncookiesSent Unwanted ListenDrops\nTcpExt: 1 2 3\n"},
      {"proc/net/snmp", "Tcp: RtoAlgorithm ActiveOpens\nTcp: 1 3556\n"},
      {"proc/net/snmp6", "Ip6InReceives 7\nIp6InOctets 460\nIcmp6InMsgs 0\n"}};
  const std::string text = Collected("netstat", files);
  CHECK(HasLine(text, "node_netstat_TcpExt_ListenDrops 3"));
  CHECK(HasLine(text, "node_netstat_Tcp_ActiveOpens 3556"));
  CHECK(HasLine(text, "node_netstat_Ip6_InOctets 460"));
  CHECK(text.find("Unwanted") == std::string::npos);
  CHECK(text.find("InReceives") == std::string::npos);
  CHECK(Collected("netstat", {{"proc/net/netstat", "TcpExt: ListenDrops B\nTcpExt: 1\n"}})
            .find("error: ") != std::string::npos);
}

TEST_CASE("sockstat: states, pages to bytes; no IPv6") {
  const std::string text = Collected(
      "sockstat", {{"proc/net/sockstat",
                    "sockets: used 229\nTCP: inuse 4 mem 1\nFRAG: inuse 0 memory 5 new 1\n"}});
  CHECK(HasLine(text, "node_sockstat_sockets_used 229"));
  CHECK(HasLine(text, "node_sockstat_TCP_inuse 4"));
  CHECK(HasLine(text, "node_sockstat_TCP_mem_bytes " + std::string("4096")));
  CHECK(HasLine(text, "node_sockstat_FRAG_memory 5"));
  CHECK(text.find("new") == std::string::npos);
}

TEST_CASE("udp_queues: sums of both directions") {
  const std::string text =
      Collected("udp_queues", {{"proc/net/udp",
                                "  sl  local_address rem_address   st tx_queue rx_queue\n"
                                "   0: 00000000:0016 00000000:0000 0A 00000015:00000000 00:0\n"
                                "   1: 00000000:0016 00000000:0000 0A 00000001:00000010 00:0\n"}});
  CHECK(HasLine(text, R"(node_udp_queues{ip="v4",queue="tx"} 22)"));
  CHECK(HasLine(text, R"(node_udp_queues{ip="v4",queue="rx"} 16)"));
  CHECK(Collected("udp_queues", {}) == "error: neither net/udp nor net/udp6");
}

TEST_CASE("nfs and nfsd: procedures by number") {
  const std::string client = Collected(
      "nfs",
      {{"proc/net/rpc/nfs", "net 70 70 69 45\nrpc 1218785755 374636 5\nproc4 3 98 51 54\n"}});
  CHECK(HasLine(client, R"(node_nfs_packets_total{protocol="tcp"} 69)"));
  CHECK(HasLine(client, "node_nfs_rpcs_total 1.218785755e+09"));
  CHECK(HasLine(client, R"(node_nfs_requests_total{method="Write",proto="4"} 54)"));
  CHECK(HasLine(client, R"(node_nfs_requests_total{method="Clone",proto="4"} 0)"));
  const std::string server =
      Collected("nfsd", {{"proc/net/rpc/nfsd",
                          "rc 0 6 18622\nth 8 0 0.000\nio 157286400 72864\nwdeleg_getattr 15\n"}});
  CHECK(HasLine(server, "node_nfsd_reply_cache_nocache_total 18622"));
  CHECK(HasLine(server, "node_nfsd_server_threads 8"));
  CHECK(HasLine(server, R"(node_nfsd_requests_total{method="WdelegGetattr",proto="4"} 15)"));
  CHECK(HasLine(Collected("nfsd", {{"proc/net/rpc/nfsd", "rc 0 6\n"}}),
                R"(error: proc/net/rpc/nfsd: bad line "rc 0 6")"));
}
