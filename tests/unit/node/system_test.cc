#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::CollectedFrom;
using millrace::node::test::HasLine;
using millrace::node::test::Tree;

TEST_CASE("entropy and filefd") {
  CHECK(HasLine(Collected("entropy", {{"proc/sys/kernel/random/entropy_avail", "1337\n"},
                                      {"proc/sys/kernel/random/poolsize", "4096\n"}}),
                "node_entropy_available_bits 1337"));
  const std::string text = Collected("filefd", {{"proc/sys/fs/file-nr", "1024\t0\t1631329\n"}});
  CHECK(HasLine(text, "node_filefd_allocated 1024"));
  CHECK(HasLine(text, "node_filefd_maximum 1.631329e+06"));
  CHECK(HasLine(Collected("filefd", {{"proc/sys/fs/file-nr", "1024\n"}}),
                R"(error: proc/sys/fs/file-nr: bad content "1024\x0a")"));
}

TEST_CASE("os: quotes, version, end of support") {
  const std::string text = Collected(
      "os", {{"etc/os-release",
              "NAME=\"Ubuntu\"\nVERSION_ID='20.04.1'\nID=ubuntu\n# c\nSUPPORT_END=2025-04-02\n"}});
  CHECK(HasLine(text, R"(node_os_version{id="ubuntu",id_like="",name="Ubuntu"} 20.04)"));
  CHECK(HasLine(text, "node_os_support_end_timestamp_seconds 1.7435520e+09") == false);
  CHECK(HasLine(text, "node_os_support_end_timestamp_seconds 1.743552e+09"));
  CHECK(Collected("os", {}) == "error: no os-release");
}

TEST_CASE("time, timex, uname, selinux: of the machine we run on") {
  CHECK(Collected("time", {}).find("node_time_seconds ") != std::string::npos);
  const std::string clocks = Collected(
      "time", {{"sys/devices/system/clocksource/clocksource0/available_clocksource", "tsc hpet\n"},
               {"sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"}});
  CHECK(
      HasLine(clocks, R"(node_time_clocksource_available_info{clocksource="hpet",device="0"} 1)"));
  CHECK(HasLine(clocks, R"(node_time_clocksource_current_info{clocksource="tsc",device="0"} 1)"));
  CHECK(Collected("uname", {}).find("sysname=\"Linux\"") != std::string::npos);
  CHECK(Collected("selinux", {}).find("node_selinux_enabled") != std::string::npos);
  const std::string timex = Collected("timex", {});
  CHECK((timex.find("node_timex_tick_seconds") != std::string::npos ||
         timex.find("error: ") != std::string::npos));
}

TEST_CASE("textfile: files as a whole, the others are served") {
  const Tree tree(millrace::node::test::Files{
      {"text/good.prom",
       "# HELP a_total Things.\n# TYPE a_total counter\na_total{x=\"1\"} 3\na_total{y=\"2\"} 4\n"},
      {"text/bad.prom", "b 1\nc{ 2\n"},
      {"text/half.prom", "d 1"},
      {"text/stamp.prom", "e 1 1500000000000\n"},
      {"text/twice.prom", "# TYPE a_total counter\na_total{x=\"1\"} 9\n"},
      {"text/not.txt", "f 1\n"}});
  const std::string text =
      CollectedFrom("textfile", tree, {"--collector.textfile.directory=" + tree.root() + "/te*t"});
  CHECK(HasLine(text, R"(a_total{x="1",y=""} 3)"));
  CHECK(HasLine(text, R"(a_total{x="",y="2"} 4)"));
  CHECK(HasLine(text, "node_textfile_scrape_error 1"));
  CHECK(text.find("good.prom\"} 1.") != std::string::npos);
  for (const char* absent : {"\nb 1", "\nd 1", "\ne 1", "\nf 1", "} 9\n", "bad.prom"})
    CHECK(text.find(absent) == std::string::npos);
}

TEST_CASE("textfile: histograms and summaries") {
  const Tree tree(millrace::node::test::Files{
      {"t/h.prom",
       "# TYPE h histogram\nh_bucket{le=\"0.5\"} 1\nh_bucket{le=\"+Inf\"} 3\nh_sum 2\nh_count 3\n"
       "# TYPE s summary\ns{quantile=\"0.9\"} 7\ns_sum 8\ns_count 2\n"}});
  const std::string text =
      CollectedFrom("textfile", tree, {"--collector.textfile.directory=" + tree.root() + "/t"});
  CHECK(HasLine(text, "# TYPE h histogram"));
  CHECK(HasLine(text, R"(h_bucket{le="0.5"} 1)"));
  CHECK(HasLine(text, R"(h_bucket{le="+Inf"} 3)"));
  CHECK(HasLine(text, R"(s{quantile="0.9"} 7)"));
  CHECK(HasLine(text, "node_textfile_scrape_error 0"));
}

TEST_CASE("textfile: a directory that is not there") {
  CHECK(HasLine(Collected("textfile", {}, {"--collector.textfile.directory=/nonexistent/x"}),
                "node_textfile_scrape_error 1"));
  CHECK(HasLine(Collected("textfile", {}), "node_textfile_scrape_error 0"));
}
