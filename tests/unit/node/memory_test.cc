#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::HasLine;

TEST_CASE("meminfo: kilobytes, pages, unknown fields, garbage") {
  const std::string text =
      Collected("meminfo", {{"proc/meminfo",
                             "MemTotal:       16042172 kB\nActive(anon):  2 kB\n"
                             "HugePages_Total:    3\nNewField: 1 kB\n"}});
  CHECK(HasLine(text, "node_memory_MemTotal_bytes 1.6427184128e+10"));
  CHECK(HasLine(text, "node_memory_Active_anon_bytes 2048"));
  CHECK(HasLine(text, "node_memory_HugePages_Total 3"));
  CHECK(text.find("NewField") == std::string::npos);
  CHECK(HasLine(Collected("meminfo", {{"proc/meminfo", "MemTotal: 1 MB\n"}}),
                R"(error: proc/meminfo: bad line "MemTotal: 1 MB")"));
  CHECK(HasLine(Collected("meminfo", {{"proc/meminfo", "\x01\x02\n"}}),
                R"(error: proc/meminfo: bad line "\x01\x02")"));
}

TEST_CASE("meminfo_numa: memory and allocations of a node") {
  const std::string dir = "sys/devices/system/node/node1/";
  const std::string text =
      Collected("meminfo_numa", {{dir + "meminfo",
                                  "Node 1 MemFree: 2 kB\nNode 1 Active(file): 1 kB\n"
                                  "Node 1 HugePages_Free: 4\n"},
                                 {dir + "numastat", "numa_hit 193460335812\n"}});
  CHECK(HasLine(text, R"(node_memory_numa_MemFree{node="1"} 2048)"));
  CHECK(HasLine(text, R"(node_memory_numa_Active_file{node="1"} 1024)"));
  CHECK(HasLine(text, R"(node_memory_numa_HugePages_Free{node="1"} 4)"));
  CHECK(HasLine(text, R"(node_memory_numa_numa_hit_total{node="1"} 1.93460335812e+11)"));
}

TEST_CASE("buddyinfo: a sample a size") {
  const std::string text =
      Collected("buddyinfo", {{"proc/buddyinfo", "Node 0, zone   DMA   1   20\n"}});
  CHECK(HasLine(text, R"(node_buddyinfo_blocks{node="0",size="1",zone="DMA"} 20)"));
}

TEST_CASE("zoneinfo: last value of a key, protection, lines that are not ours") {
  const std::string text = Collected(
      "zoneinfo", {{"proc/zoneinfo",
                    "Node 0, zone      DMA\n  per-node stats\n      nr_dirty     7\n"
                    "  pages free     1\n        min      33\n        protection: (0, 2877, 7826)\n"
                    "      nr_free_pages 2949\n    cpu: 0\n              high:  0\n"
                    "Node 0, zone   Normal\n        min      44\n"}});
  CHECK(HasLine(text, R"(node_zoneinfo_min_pages{node="0",zone="DMA"} 33)"));
  CHECK(HasLine(text, R"(node_zoneinfo_min_pages{node="0",zone="Normal"} 44)"));
  CHECK(HasLine(text, R"(node_zoneinfo_nr_dirty_pages{node="0",zone="DMA"} 7)"));
  CHECK(HasLine(text, R"(node_zoneinfo_protection_1{node="0",zone="DMA"} 2877)"));
  CHECK(text.find("high_pages") == std::string::npos);
}

TEST_CASE("vmstat: only the wanted fields") {
  const millrace::node::test::Files files = {
      {"proc/vmstat", "nr_free_pages 977769\npgpgin 7344136\noom_kill 0\n"}};
  const std::string text = Collected("vmstat", files);
  CHECK(HasLine(text, "node_vmstat_pgpgin 7.344136e+06"));
  CHECK(HasLine(text, "# TYPE node_vmstat_oom_kill untyped"));
  CHECK(text.find("nr_free") == std::string::npos);
  CHECK(HasLine(Collected("vmstat", files, {"--collector.vmstat.fields=^nr_"}),
                "node_vmstat_nr_free_pages 977769"));
}

TEST_CASE("pressure: some and full; a kernel without irq; none at all") {
  const std::string both =
      "some avg10=0.1 avg60=2 avg300=3 total=2500000\nfull avg10=0 avg60=0 avg300=0 total=1000\n";
  const std::string text = Collected(
      "pressure", {{"proc/pressure/cpu", "some avg10=0 avg60=0 avg300=0 total=14500000\n"},
                   {"proc/pressure/io", both},
                   {"proc/pressure/memory", both}});
  CHECK(HasLine(text, "node_pressure_cpu_waiting_seconds_total 14.5"));
  CHECK(HasLine(text, "node_pressure_io_waiting_seconds_total 2.5"));
  CHECK(HasLine(text, "node_pressure_memory_stalled_seconds_total 0.001"));
  CHECK(Collected("pressure", {}) == "error: no pressure information");
}
