#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::CollectedFrom;
using millrace::node::test::HasLine;
using millrace::node::test::Tree;

TEST_CASE("cpu: seconds by mode, guests apart, offline processors go") {
  Tree tree(millrace::node::test::Files{{"proc/stat",
                                         "cpu  30 0 0 0 0 0 0 0 0 0\n"
                                         "cpu0 1050 20 300 40000 50 6 7 8 9 10\n"
                                         "cpu10 1 2 3 4 5 6 7 8 9 10\n"
                                         "intr 1 2\n"},
                                        {"sys/devices/system/cpu/", ""}});
  const std::string text = CollectedFrom("cpu", tree);
  CHECK(HasLine(text, R"(node_cpu_seconds_total{cpu="0",mode="user"} 10.5)"));
  CHECK(HasLine(text, R"(node_cpu_seconds_total{cpu="0",mode="idle"} 400)"));
  CHECK(HasLine(text, R"(node_cpu_seconds_total{cpu="10",mode="steal"} 0.08)"));
  CHECK(HasLine(text, R"(node_cpu_guest_seconds_total{cpu="0",mode="nice"} 0.1)"));
  CHECK_FALSE(HasLine(CollectedFrom("cpu", tree, {"--no-collector.cpu.guest"}),
                      R"(node_cpu_guest_seconds_total{cpu="0",mode="nice"} 0.1)"));
}

TEST_CASE("cpu: old kernels have fewer columns, garbage is an error") {
  CHECK(HasLine(Collected("cpu", {{"proc/stat", "cpu0 100 200 300 400\n"}}),
                R"(node_cpu_seconds_total{cpu="0",mode="iowait"} 0)"));
  CHECK(HasLine(Collected("cpu", {{"proc/stat", "cpu0 100 x\n"}}),
                R"(error: proc/stat: bad number "x")"));
  CHECK(HasLine(Collected("cpu", {{"proc/stat", "cpux 1 2 3\n"}}),
                R"(error: proc/stat: bad line "cpux 1 2 3")"));
}

TEST_CASE("cpu: info, flags, throttles, online, isolated") {
  const millrace::node::test::Files files = {
      {"proc/stat", "cpu0 1 2 3 4\n"},
      {"proc/cpuinfo",
       "processor\t: 0\nvendor_id\t: Maker\ncpu family\t: 6\nmodel\t\t: 142\nmodel name\t: M 1\n"
       "stepping\t: 10\nmicrocode\t: 0xb4\ncpu MHz\t\t: 799.998\ncache size\t: 8192 KB\n"
       "physical id\t: 0\ncore id\t\t: 3\nflags\t\t: fpu aes avx\nbugs\t\t: mds l1tf\n"
       "power management:\n\n"},
      {"sys/devices/system/cpu/isolated", "1,3-4\n"},
      {"sys/devices/system/cpu/cpu0/online", "1\n"},
      {"sys/devices/system/cpu/cpu0/topology/physical_package_id", "0\n"},
      {"sys/devices/system/cpu/cpu0/topology/core_id", "3\n"},
      {"sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "5\n"},
      {"sys/devices/system/cpu/cpu0/thermal_throttle/package_throttle_count", "30\n"},
      {"sys/devices/system/cpu/cpu1/online", "0\n"}};
  const std::string text =
      Collected("cpu", files,
                {"--collector.cpu.info.flags-include=^a", "--collector.cpu.info.bugs-include=mds"});
  CHECK(HasLine(text,
                R"(node_cpu_info{cachesize="8192 KB",core="3",cpu="0",family="6",microcode="0xb4",)"
                R"(model="142",model_name="M 1",package="0",stepping="10",vendor="Maker"} 1)"));
  CHECK(HasLine(text, R"(node_cpu_frequency_hertz{core="3",cpu="0",package="0"} 7.99998e+08)"));
  CHECK(HasLine(text, R"(node_cpu_flag_info{flag="aes"} 1)"));
  CHECK_FALSE(HasLine(text, R"(node_cpu_flag_info{flag="fpu"} 1)"));
  CHECK(HasLine(text, R"(node_cpu_bug_info{bug="mds"} 1)"));
  CHECK(HasLine(text, R"(node_cpu_isolated{cpu="4"} 1)"));
  CHECK(HasLine(text, R"(node_cpu_online{cpu="1"} 0)"));
  CHECK(HasLine(text, R"(node_cpu_core_throttles_total{core="3",package="0"} 5)"));
  CHECK(HasLine(text, R"(node_cpu_package_throttles_total{package="0"} 30)"));
  CHECK(Collected("cpu", files, {"--collector.cpu.info.flags-include=("})
            .starts_with("error: regular expression"));
}

TEST_CASE("cpufreq: kilohertz to hertz, governors, offline processors") {
  const std::string dir = "sys/devices/system/cpu/";
  const std::string text = Collected(
      "cpufreq", {{dir + "offline", "1\n"},
                  {dir + "cpu0/cpufreq/scaling_cur_freq", "1699981\n"},
                  {dir + "cpu0/cpufreq/scaling_governor", "powersave\n"},
                  {dir + "cpu0/cpufreq/scaling_available_governors", "performance powersave\n"},
                  {dir + "cpu1/cpufreq/scaling_cur_freq", "1\n"}});
  CHECK(HasLine(text, R"(node_cpu_scaling_frequency_hertz{cpu="0"} 1.699981e+09)"));
  CHECK(HasLine(text, R"(node_cpu_scaling_governor{cpu="0",governor="powersave"} 1)"));
  CHECK(HasLine(text, R"(node_cpu_scaling_governor{cpu="0",governor="performance"} 0)"));
  CHECK(text.find("cpu=\"1\"") == std::string::npos);
}

TEST_CASE("cpu_vulnerabilities: four states") {
  const std::string dir = "sys/devices/system/cpu/vulnerabilities/";
  const std::string text =
      Collected("cpu_vulnerabilities", {{dir + "a", "Not affected\n"},
                                        {dir + "b", "Vulnerable: no  microcode\n"},
                                        {dir + "c", "Mitigation: PTI\n"},
                                        {dir + "d", "Something else\n"}});
  CHECK(HasLine(
      text, R"(node_cpu_vulnerabilities_info{codename="a",mitigation="",state="not affected"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_cpu_vulnerabilities_info{codename="b",mitigation="no microcode",state="vulnerable"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_cpu_vulnerabilities_info{codename="c",mitigation="PTI",state="mitigation"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_cpu_vulnerabilities_info{codename="d",mitigation="Something else",state="unknown"} 1)"));
}

TEST_CASE("schedstat: nanoseconds to seconds") {
  const std::string text =
      Collected("schedstat",
                {{"proc/schedstat", "version 15\ntimestamp 1\ncpu0 1 2 3 4 5 6 2500000000 7 8\n"}});
  CHECK(HasLine(text, R"(node_schedstat_running_seconds_total{cpu="0"} 2.5)"));
  CHECK(HasLine(text, R"(node_schedstat_waiting_seconds_total{cpu="0"} 7e-09)"));
  CHECK(HasLine(text, R"(node_schedstat_timeslices_total{cpu="0"} 8)"));
}

TEST_CASE("interrupts: numbered and named lines, filter, zeros") {
  const millrace::node::test::Files files = {
      {"proc/interrupts",
       "           CPU0       CPU1\n"
       "  0:         17          0   IO-APIC   2-edge      timer\n"
       "NMI:          1          2   Non-maskable interrupts\n"
       "ERR:          0\n"}};
  const std::string text = Collected("interrupts", files);
  CHECK(HasLine(
      text, R"(node_interrupts_total{cpu="0",devices="2-edge timer",info="IO-APIC",type="0"} 17)"));
  CHECK(HasLine(
      text,
      R"(node_interrupts_total{cpu="1",devices="",info="Non-maskable interrupts",type="NMI"} 2)"));
  CHECK(text.find("ERR") == std::string::npos);
  const std::string few = Collected(
      "interrupts", files,
      {"--no-collector.interrupts.include-zeros", "--collector.interrupts.name-exclude=^NMI;"});
  CHECK(few.find("NMI") == std::string::npos);
  CHECK(few.find("cpu=\"1\"") == std::string::npos);
}

TEST_CASE("softirqs and softnet: columns by processor") {
  CHECK(
      HasLine(Collected("softirqs", {{"proc/softirqs", "  CPU0 CPU1\n  HI: 7 1\n  TIMER: 2 3\n"}}),
              R"(node_softirqs_functions_total{cpu="1",type="TIMER"} 3)"));
  const std::string text = Collected(
      "softnet",
      {{"proc/net/softnet_stat",
        "000000ff 00000001 00000002 0 0 0 0 0 00000003 00000004 00000005 00000006 00000009\n"
        "0000000a 0 0 0 0 0 0 0 0\n"}});
  CHECK(HasLine(text, R"(node_softnet_processed_total{cpu="9"} 255)"));
  CHECK(HasLine(text, R"(node_softnet_backlog_len{cpu="9"} 6)"));
  CHECK(HasLine(text, R"(node_softnet_processed_total{cpu="1"} 10)"));
  CHECK(HasLine(Collected("softnet", {{"proc/net/softnet_stat", "1 2\n"}}),
                R"(error: proc/net/softnet_stat: bad line "1 2")"));
}

TEST_CASE("stat: totals and soft interrupts") {
  const millrace::node::test::Files files = {
      {"proc/stat",
       "cpu 1\nintr 8885917 17 0\nctxt 38014093\nbtime 1418183276\nprocesses 26442\n"
       "procs_running 2\nprocs_blocked 1\nsoftirq 5057579 1 2 3 4 5 6 7 8 9 10\n"}};
  const std::string text = Collected("stat", files, {"--collector.stat.softirq"});
  CHECK(HasLine(text, "node_intr_total 8.885917e+06"));
  CHECK(HasLine(text, "node_boot_time_seconds 1.418183276e+09"));
  CHECK(HasLine(text, "node_procs_blocked 1"));
  CHECK(HasLine(text, R"(node_softirqs_total{vector="rcu"} 10)"));
  CHECK(Collected("stat", files).find("softirqs") == std::string::npos);
  CHECK(HasLine(Collected("stat", {{"proc/stat", "ctxt many\n"}}),
                R"(error: proc/stat: bad line "ctxt many")"));
}
