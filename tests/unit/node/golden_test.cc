// The whole exposition of a small host, byte for byte: names, types, help, order, numbers.
// UPDATE_GOLDEN=1 writes the file anew; review the difference.
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "exporters/node/registry.h"
#include "exporters/node/scrape.h"
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using namespace millrace;
using namespace millrace::node;

namespace {

const node::test::Files& SmallHost() {
  static const node::test::Files files = {
      {"proc/loadavg", "0.21 0.37 0.39 1/719 19737\n"},
      {"proc/stat",
       "cpu  301 0 0 0 0 0 0 0 0 0\n"
       "cpu0 1000 2 300 40000 500 6 70 8 9 0\ncpu1 1100 3 310 39000 450 5 60 7 8 1\n"
       "intr 8885917 17 0 0\nctxt 38014093\nbtime 1418183276\nprocesses 26442\n"
       "procs_running 2\nprocs_blocked 1\nsoftirq 5057579 1 2 3 4 5 6 7 8 9 10\n"},
      {"proc/meminfo",
       "MemTotal:        8129844 kB\nMemFree:         1234567 kB\nMemAvailable:    4000000 kB\n"
       "Buffers:           10000 kB\nCached:          2000000 kB\nSwapTotal:             0 kB\n"
       "HugePages_Total:       0\n"},
      {"proc/vmstat",
       "nr_free_pages 1\npgpgin 7344136\npgpgout 1541180581\npswpin 1476\noom_kill 0\n"},
      {"proc/diskstats",
       "   8       0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 505697032 "
       "63877960 "
       "0 9653880 82621804 1 2 3 4 5 6\n   8       1 sda1 250 0 2000 36 0 0 0 0 0 36 36\n"},
      {"sys/block/sda/queue/rotational", "1\n"},
      {"udev/b8:0", "E:ID_MODEL=Some_Disk\nE:ID_SERIAL_SHORT=ABC\n"},
      {"proc/net/dev",
       "Inter-|   Receive                                                |  Transmit\n"
       " face |bytes    packets errs drop fifo frame compressed multicast|bytes packets errs drop "
       "fifo colls carrier compressed\n"
       "    lo: 435303245 1832522 0 0 0 0 0 0 435303245 1832522 0 0 0 0 0 0\n"
       "  eth0: 68210035552 520993275 1 2 3 4 0 72 9315587528 43451486 5 6 7 0 8 0\n"},
      {"proc/net/sockstat",
       "sockets: used 229\nTCP: inuse 4 orphan 0 tw 4 alloc 17 mem 1\nUDP: inuse 0 mem 0\n"},
      {"proc/net/netstat", "TcpExt: SyncookiesSent ListenOverflows ListenDrops\nTcpExt: 0 1 2\n"},
      {"proc/net/snmp", "Tcp: RtoAlgorithm ActiveOpens CurrEstab\nTcp: 1 3556 0\n"},
      {"proc/net/softnet_stat", "00049279 00000000 00000001 0 0 0 0 0 0 0 0\n"},
      {"proc/sys/fs/file-nr", "1024\t0\t1631329\n"},
      {"proc/sys/kernel/random/entropy_avail", "256\n"},
      {"proc/sys/kernel/random/poolsize", "256\n"},
      {"proc/pressure/cpu", "some avg10=0.00 avg60=0.00 avg300=0.00 total=14036781\n"},
      {"proc/pressure/io",
       "some avg10=0.18 avg60=0.34 avg300=0.10 total=159886802\nfull avg10=0.18 avg60=0.34 "
       "avg300=0.10 total=159229614\n"},
      {"proc/pressure/memory",
       "some avg10=0.00 avg60=0.00 avg300=0.00 total=0\nfull avg10=0.00 avg60=0.00 avg300=0.00 "
       "total=0\n"},
      {"proc/schedstat",
       "version 15\ncpu0 498494191 0 3533438552 2553969831 3853684107 2465731542 2045936778163039 "
       "343796328169361 4767485306\n"},
      {"etc/os-release",
       "NAME=\"Debian GNU/Linux\"\nID=debian\nVERSION_ID=\"12\"\nVERSION=\"12 (bookworm)\"\n"},
      {"sys/class/hwmon/hwmon0/name", "coretemp\n"},
      {"sys/class/hwmon/hwmon0/temp1_input", "55000\n"},
      {"sys/class/hwmon/hwmon0/temp1_label", "Package \"0\"\n"},
      {"sys/class/net/eth0/operstate", "up\n"},
      {"sys/class/net/eth0/address", "01:02:03:04:05:06\n"},
      {"sys/class/net/eth0/flags", "0x1003\n"},
      {"sys/class/net/eth0/mtu", "1500\n"},
      {"sys/class/net/eth0/speed", "1000\n"},
      {"sys/class/thermal/thermal_zone0/type", "x86_pkg_temp\n"},
      {"sys/class/thermal/thermal_zone0/temp", "42500\n"},
      {"sys/devices/system/cpu/offline", "\n"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_cur_freq", "1600000\n"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "powersave\n"},
      {"sys/devices/system/cpu/cpu0/cpufreq/scaling_available_governors",
       "performance powersave\n"},
      {"sys/class/dmi/id/sys_vendor", "Maker\n"},
  };
  return files;
}

std::string WithoutDurations(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);)
    if (!line.starts_with("node_scrape_collector_duration_seconds{")) out += line + "\n";
  return out;
}

}  // namespace

TEST_CASE("golden: the exposition of a small host") {
  const node::test::Tree tree(SmallHost());
  std::vector<std::string> args = tree.PathFlags();
  args.insert(args.end(), {"--collector.disable-defaults", "--no-collector.netdev.netlink",
                           "--collector.stat.softirq"});
  for (const char* name :
       {"bonding", "cpu",      "cpufreq",      "diskstats", "dmi",      "entropy",
        "filefd",  "hwmon",    "loadavg",      "meminfo",   "netclass", "netdev",
        "netstat", "os",       "pressure",     "schedstat", "sockstat", "softnet",
        "stat",    "textfile", "thermal_zone", "vmstat"})
    args.push_back(std::string("--collector.") + name);
  FlagSet flags("test");
  DeclareCollectorFlags(flags);
  REQUIRE(flags.Parse(args).has_value());
  const auto scraper = Scraper::Make(flags).value();
  std::string text;
  // The second scrape, from warm buffers, says the same.
  for (int i = 0; i < 2; ++i)
    REQUIRE(scraper->Scrape({}, exposition::Format::kText, nullptr, text).has_value());
  text = WithoutDurations(text);
  const std::string path = "tests/golden/node_exporter.txt";
  if (std::getenv("UPDATE_GOLDEN") != nullptr) std::ofstream(path, std::ios::binary) << text;
  std::ifstream file(path, std::ios::binary);
  const std::string golden((std::istreambuf_iterator<char>(file)),
                           std::istreambuf_iterator<char>());
  CHECK(text == golden);
}
