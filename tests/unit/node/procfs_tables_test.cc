// Collectors of single files of /proc, through literals.
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using Catch::Contains;
using millrace::node::test::Collected;

TEST_CASE("xfrm: all counters, those the kernel lacks are 0") {
  const auto text =
      Collected("xfrm", {{"proc/net/xfrm_stat", "XfrmInError 1\nXfrmFwdHdrError 3\n"}});
  CHECK_THAT(text, Contains("node_xfrm_in_error_packets_total 1\n") &&
                       Contains("node_xfrm_fwd_hdr_error_packets_total 3\n") &&
                       Contains("node_xfrm_acquire_error_packets_total 0\n"));
  CHECK_THAT(Collected("xfrm", {{"proc/net/xfrm_stat", "XfrmInError x\n"}}), Contains("error: "));
  CHECK_THAT(Collected("xfrm", {}), Contains("error: open proc/net/xfrm_stat"));
}

TEST_CASE("swap: KiB become bytes, priorities may be negative") {
  CHECK(Collected("swap", {{"proc/swaps",
                            "Filename Type Size Used Priority\n/dev/sda2 partition 4 1 -2\n"}}) ==
        "# TYPE node_swap_priority gauge\n"
        "node_swap_priority{device=\"/dev/sda2\",swap_type=\"partition\"} -2\n"
        "# TYPE node_swap_size_bytes gauge\n"
        "node_swap_size_bytes{device=\"/dev/sda2\",swap_type=\"partition\"} 4096\n"
        "# TYPE node_swap_used_bytes gauge\n"
        "node_swap_used_bytes{device=\"/dev/sda2\",swap_type=\"partition\"} 1024\n");
  CHECK(Collected("swap", {{"proc/swaps", "Filename\n"}}).empty());
  CHECK_THAT(Collected("swap", {{"proc/swaps", "Filename\n/dev/a partition 4\n"}}),
             Contains("error: proc/swaps: bad line"));
}

TEST_CASE("lnstat: hexadecimal counters by processor") {
  const auto text = Collected("lnstat", {{"proc/net/stat/arp", "entries hits\n0a 1\n0b 2\n"}});
  CHECK_THAT(text, Contains("node_lnstat_entries_total{cpu=\"0\",subsystem=\"arp\"} 10\n") &&
                       Contains("node_lnstat_hits_total{cpu=\"1\",subsystem=\"arp\"} 2\n"));
  CHECK_THAT(Collected("lnstat", {{"proc/net/stat/arp", "entries\n1 2\n"}}), Contains("error: "));
  CHECK_THAT(Collected("lnstat", {{"proc/net/stat/arp", "entries\nzz\n"}}), Contains("error: "));
}

TEST_CASE("cgroups: numbers of groups") {
  CHECK(Collected("cgroups", {{"proc/cgroups", "#subsys_name h n e\nmemory 7 234 1"}}) ==
        "# TYPE node_cgroups_cgroups gauge\nnode_cgroups_cgroups{subsys_name=\"memory\"} 234\n"
        "# TYPE node_cgroups_enabled gauge\nnode_cgroups_enabled{subsys_name=\"memory\"} 1\n");
  CHECK_THAT(Collected("cgroups", {{"proc/cgroups", "memory 7 x 1\n"}}), Contains("error: "));
}

TEST_CASE("drbd: numbers, pairs, connection state") {
  const auto text = Collected(
      "drbd", {{"proc/drbd",
                "version: 8.4.3\n 1: cs:Connected ro:Primary/Secondary ds:UpToDate/Diskless C\n"
                "    ns:2 nr:3 oos:4 wo:d\n"}});
  CHECK_THAT(text, Contains("node_drbd_network_sent_bytes_total{device=\"drbd1\"} 2048\n") &&
                       Contains("node_drbd_network_received_bytes_total{device=\"drbd1\"} 3\n") &&
                       Contains("node_drbd_connected{device=\"drbd1\"} 1\n") &&
                       Contains("primary{device=\"drbd1\",node=\"remote\"} 0\n") &&
                       Contains("up_to_date{device=\"drbd1\",node=\"local\"} 1\n"));
  CHECK_THAT(Collected("drbd", {{"proc/drbd", " 1: ns:x\n"}}), Contains("error: "));
  CHECK_THAT(Collected("drbd", {{"proc/drbd", " 1: ro:Primary\n"}}), Contains("error: "));
}

TEST_CASE("slabinfo: columns, filters") {
  const std::string file =
      "slabinfo - version: 2.1\n# name\n"
      "a 1 2 3 4 5 : tunables 0 0 0 : slabdata 27 27 0\n"
      "b 6 7 8 9 10 : tunables 0 0 0 : slabdata 27 27 0\n";
  CHECK_THAT(Collected("slabinfo", {{"proc/slabinfo", file}}),
             Contains("node_slabinfo_active_objects{slab=\"a\"} 1\n") &&
                 Contains("node_slabinfo_pages_per_slab{slab=\"b\"} 10\n"));
  CHECK_THAT(
      Collected("slabinfo", {{"proc/slabinfo", file}}, {"--collector.slabinfo.slabs-exclude=a"}),
      !Contains("slab=\"a\""));
  CHECK_THAT(Collected("slabinfo", {{"proc/slabinfo", "a 1 2\n"}}), Contains("error: "));
}

TEST_CASE("sysctl: by index, by key, as text") {
  const millrace::node::test::Files files = {{"proc/sys/fs/file-nr", "10 0 30\n"},
                                             {"proc/sys/kernel/x", "on off\n"}};
  CHECK(Collected("sysctl", files, {"--collector.sysctl.include=fs.file-nr"}) ==
        "# TYPE node_sysctl_fs_file_nr untyped\nnode_sysctl_fs_file_nr{index=\"0\"} 10\n"
        "node_sysctl_fs_file_nr{index=\"1\"} 0\nnode_sysctl_fs_file_nr{index=\"2\"} 30\n");
  CHECK_THAT(Collected("sysctl", files, {"--collector.sysctl.include=fs.file-nr:a,b,c"}),
             Contains("node_sysctl_fs_file_nr_c 30\n"));
  CHECK_THAT(Collected("sysctl", files, {"--collector.sysctl.include=fs.file-nr:a"}),
             Contains("error: sysctl fs.file-nr has 3 values"));
  CHECK_THAT(Collected("sysctl", files, {"--collector.sysctl.include=kernel.x"}),
             Contains("error: "));
  CHECK_THAT(Collected("sysctl", files, {"--collector.sysctl.include-info=kernel.x"}),
             Contains("{index=\"1\",name=\"kernel.x\",value=\"off\"} 1\n"));
}

TEST_CASE("processes: states of processes and threads; a name may hold anything") {
  const auto stat = [](const std::string& name, char state, int threads) {
    return "7 (" + name + ") " + state + " 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 " +
           std::to_string(threads) + " 0 1\n";
  };
  const auto text = Collected("processes", {{"proc/7/stat", stat("a) R (b", 'S', 2)},
                                            {"proc/7/task/7/stat", stat("x", 'S', 2)},
                                            {"proc/7/task/8/stat", stat("x", 'D', 2)},
                                            {"proc/9/cmdline", "went away"},
                                            {"proc/sys/kernel/threads-max", "100\n"},
                                            {"proc/sys/kernel/pid_max", "200\n"}});
  CHECK(text ==
        "# TYPE node_processes_max_processes gauge\nnode_processes_max_processes 200\n"
        "# TYPE node_processes_max_threads gauge\nnode_processes_max_threads 100\n"
        "# TYPE node_processes_pids gauge\nnode_processes_pids 1\n"
        "# TYPE node_processes_state gauge\nnode_processes_state{state=\"S\"} 1\n"
        "# TYPE node_processes_threads gauge\nnode_processes_threads 2\n"
        "# TYPE node_processes_threads_state gauge\n"
        "node_processes_threads_state{thread_state=\"D\"} 1\n"
        "node_processes_threads_state{thread_state=\"S\"} 1\n");
  CHECK_THAT(Collected("processes", {{"proc/7/stat", "garbage"}}), Contains("error: "));
}

TEST_CASE("mountstats: counters of NFS mounts, one set for mounts of one export") {
  const std::string nfs =
      "with fstype nfs4 statvers=1.1\n\tage:\t13\n"
      "\tevents:\t52 226 0 0 1 13 398 0 0 331 0 47 0 0 77 0 0 77 0 0 0 0 0 0 0 0 0\n"
      "\tbytes:\t12 0 0 0 14 0 15 0\n\txprt:\ttcp 832 0 1 0 11 6428 6427 0 12154 0 24 26 5726\n"
      "\tper-op statistics\n\t        READ: 1298 1297 0 207680 121 6 79386 79407\n\n";
  const millrace::node::test::Files files = {
      {"proc/self/mountstats",
       "device /dev/sda1 mounted on / with fstype ext4\ndevice h:/e mounted on /a " + nfs +
           "device h:/e mounted on /b " + nfs},
      {"proc/self/mountinfo",
       "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:4 / /a rw - nfs4 h:/e rw,addr=10.0.0.1\n"
       "3 1 0:4 / /b rw - nfs4 h:/e rw,addr=10.0.0.1\n"}};
  const auto text = Collected("mountstats", files);
  const std::string labels = "{export=\"h:/e\",mountaddr=\"10.0.0.1\",";
  CHECK_THAT(
      text, Contains("node_mountstats_nfs_age_seconds_total" + labels + "protocol=\"tcp\"} 13\n") &&
                Contains("_transport_idle_time_seconds" + labels +
                         "protocol=\"tcp\",transport=\"0\"} 11\n") &&
                Contains("_response_time_seconds_total" + labels +
                         "operation=\"READ\",protocol=\"tcp\"} 79.386\n") &&
                Contains("mountpoint=\"/b\""));
  CHECK(text.find("age_seconds_total{") == text.rfind("age_seconds_total{"));
  CHECK_THAT(Collected("mountstats", {{"proc/self/mountstats",
                                       "device h:/e mounted on /a with fstype nfs statvers=1.1\n"
                                       "\tbytes:\t1 2\n"},
                                      {"proc/self/mountinfo", ""}}),
             Contains("error: "));
}
