// Collectors of sysfs directories, through literals.
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using Catch::Contains;
using millrace::node::test::Collected;
using millrace::node::test::Files;

TEST_CASE("watchdog: absent files are left out, bad ones are errors") {
  CHECK(Collected("watchdog", {{"sys/class/watchdog/watchdog0/timeout", "60\n"},
                               {"sys/class/watchdog/watchdog0/state", "active\n"}}) ==
        "# TYPE node_watchdog_info gauge\n"
        "node_watchdog_info{identity=\"\",name=\"watchdog0\",options=\"\",pretimeout_governor=\"\","
        "state=\"active\",status=\"\"} 1\n"
        "# TYPE node_watchdog_timeout_seconds gauge\n"
        "node_watchdog_timeout_seconds{name=\"watchdog0\"} 60\n");
  CHECK_THAT(Collected("watchdog", {{"sys/class/watchdog/watchdog0/timeout", "x"}}),
             Contains("error: sys/class/watchdog/watchdog0/timeout: bad number"));
  CHECK_THAT(Collected("watchdog", {}), Contains("error: no "));
}

TEST_CASE("ksmd: milliseconds become seconds") {
  Files files;
  for (const char* f : {"full_scans", "merge_across_nodes", "pages_shared", "pages_sharing",
                        "pages_to_scan", "pages_unshared", "pages_volatile", "run"})
    files[std::string("sys/kernel/mm/ksm/") + f] = "1\n";
  files["sys/kernel/mm/ksm/sleep_millisecs"] = "20\n";
  CHECK_THAT(Collected("ksmd", files), Contains("node_ksmd_sleep_seconds 0.02\n") &&
                                           Contains("node_ksmd_full_scans_total 1\n"));
  files["sys/kernel/mm/ksm/run"] = "";
  CHECK_THAT(Collected("ksmd", files), Contains("error: "));
}

TEST_CASE("tapestats: drives only, nanoseconds become seconds") {
  const auto text = Collected("tapestats", {{"sys/class/scsi_tape/st0/stats/io_ns", "1500000000"},
                                            {"sys/class/scsi_tape/nst0/stats/io_ns", "1"},
                                            {"sys/class/scsi_tape/st0l/stats/io_ns", "1"}});
  CHECK(text ==
        "# TYPE node_tape_io_time_seconds_total counter\n"
        "node_tape_io_time_seconds_total{device=\"st0\"} 1.5\n");
}

TEST_CASE("fibrechannel: hexadecimal counters; all ones means not counted") {
  const std::string host = "sys/class/fc_host/host0/";
  const auto text =
      Collected("fibrechannel", {{host + "statistics/rx_frames", "0x1b\n"},
                                 {host + "statistics/nos_count", "0xffffffffffffffff"},
                                 {host + "port_id", "0x000002\n"}});
  CHECK_THAT(text, Contains("node_fibrechannel_rx_frames_total{fc_host=\"host0\"} 27\n") &&
                       Contains("port_id=\"000002\"") && !Contains("nos_total"));
  CHECK_THAT(Collected("fibrechannel", {{host + "statistics/rx_frames", "zz"}}),
             Contains("error: "));
}

TEST_CASE("dmmultipath: paths by state") {
  const auto text = Collected("dmmultipath", {{"sys/block/dm-5/dm/uuid", "mpath-36\n"},
                                              {"sys/block/dm-5/dm/name", "mpathA\n"},
                                              {"sys/block/dm-5/dm/suspended", "0\n"},
                                              {"sys/block/dm-5/size", "2\n"},
                                              {"sys/block/dm-5/slaves/sda/", ""},
                                              {"sys/block/dm-5/slaves/sdb/", ""},
                                              {"sys/block/sda/device/state", "running\n"},
                                              {"sys/block/sdb/device/state", "offline\n"},
                                              {"sys/block/dm-6/dm/uuid", "LVM-x\n"}});
  CHECK_THAT(text, Contains("paths{device=\"mpathA\",sysfs_name=\"dm-5\"} 2\n") &&
                       Contains("paths_active{device=\"mpathA\",sysfs_name=\"dm-5\"} 1\n") &&
                       Contains("size_bytes{device=\"mpathA\",sysfs_name=\"dm-5\"} 1024\n") &&
                       !Contains("dm-6"));
}

TEST_CASE("bcache: human numbers, absent files are 0") {
  const std::string set = "sys/fs/bcache/dead-beef/";
  const auto text =
      Collected("bcache",
                {{set + "btree_cache_size", "1.1k\n"},
                 {set + "bdev0/writeback_rate_debug",
                  "rate:\t\t1.1M/sec\ndirty:\t\t20.4G\ntarget:\t\t20.4G\nproportional:\t-427.5k\n"
                  "integral:\t790.0k\nchange:\t\t321.5k/sec\nnext io:\t17ms\n"},
                 {set + "cache0/written", "512\n"},
                 {set + "cache0/priority_stats", "Unused:\t\t99%\nMetadata:\t0%\n"}},
                {"--collector.bcache.priorityStats"});
  // The digits behind the point count 1/1024: 1.1k is 1024 * (1 + 1/10.24).
  CHECK_THAT(text, Contains("node_bcache_btree_cache_size_bytes{uuid=\"dead-beef\"} 1124\n") &&
                       Contains("node_bcache_writeback_rate_proportional_term{backing_device="
                                "\"bdev0\",uuid=\"dead-beef\"} -437748\n") &&
                       Contains("node_bcache_tree_depth{uuid=\"dead-beef\"} 0\n") &&
                       Contains("node_bcache_priority_stats_unused_percent{cache_device=\"cache0\","
                                "uuid=\"dead-beef\"} 99\n") &&
                       !Contains("readaheads"));
  CHECK_THAT(Collected("bcache", {{set + "tree_depth", "x"}}), Contains("error: "));
  CHECK(Collected("bcache", {}).empty());
}

TEST_CASE("bcachefs: sizes, counters, devices") {
  const std::string fs = "sys/fs/bcachefs/uu-id/";
  const auto text = Collected(
      "bcachefs",
      {{fs + "btree_cache_size", "2.5k\n"},
       {fs + "compression_stats", "type a b c\nlz4  1k  2k  62.5k\n"},
       {fs + "errors", "bset_bad_csum 2 1767112063\n"},
       {fs + "counters/fsync", "since mount: 3\nsince filesystem creation: 15\n"},
       {fs + "btree_write_stats", "  nr size\ninitial: 3 1k\n"},
       {fs + "dev-0/nbuckets", "7\n"},
       {fs + "dev-0/io_done", "read:\nsb : 1\nwrite:\nsb : 2\n"},
       {fs + "dev-0/io_errors",
        "IO errors since filesystem creation\n  read: 5\nIO errors since 8 y ago\n  read: 6\n"}});
  CHECK_THAT(
      text,
      Contains("node_bcachefs_btree_cache_size_bytes{uuid=\"uu-id\"} 2560\n") &&
          Contains("compressed_bytes{algorithm=\"lz4\",uuid=\"uu-id\"} 1024\n") &&
          Contains("node_bcachefs_fsync_total{uuid=\"uu-id\"} 15\n") &&
          Contains("{data_type=\"sb\",device=\"0\",operation=\"write\",uuid=\"uu-id\"} 2\n") &&
          Contains("io_errors_total{device=\"0\",type=\"read\",uuid=\"uu-id\"} 5\n"));
  CHECK_THAT(Collected("bcachefs", {{fs + "counters/fsync", "what\n"}}), Contains("error: "));
}

TEST_CASE("btrfs: modes, ratios, commits") {
  const std::string fs = "sys/fs/btrfs/aa-bb/";
  const auto text = Collected("btrfs", {{fs + "metadata_uuid", "aa-bb\n"},
                                        {fs + "label", "data\n"},
                                        {fs + "commit_stats", "commits 7\ntotal_commit_ms 1500\n"},
                                        {fs + "devices/sda/size", "8\n"},
                                        {fs + "devices/sdb/size", "8\n"},
                                        {fs + "devices/sdc/size", "8\n"},
                                        {fs + "allocation/data/bytes_reserved", "5\n"},
                                        {fs + "allocation/data/raid5/total_bytes", "10\n"},
                                        {fs + "allocation/data/raid5/used_bytes", "4\n"},
                                        {"sys/fs/btrfs/features/x", "1"}});
  CHECK_THAT(text,
             Contains("ratio{block_group_type=\"data\",mode=\"raid5\",uuid=\"aa-bb\"} 1.5\n") &&
                 Contains("node_btrfs_commit_seconds_total{uuid=\"aa-bb\"} 1.5\n") &&
                 Contains("device_size_bytes{device=\"sdb\",uuid=\"aa-bb\"} 4096\n"));
  CHECK_THAT(Collected("btrfs", {{fs + "commit_stats", "x\n"}, {fs + "devices/", ""}}),
             Contains("error: "));
}

TEST_CASE("pcidevice: location, parent, link, names") {
  const std::string device = "sys/devices/pci0000:40/0000:40:01.3/0000:45:00.0/";
  Files files = {{"sys/bus/pci/devices/0000:45:00.0",
                  "-> ../../../devices/pci0000:40/0000:40:01.3/0000:45:00.0"},
                 {device + "class", "0x020000\n"},
                 {device + "vendor", "0x8086\n"},
                 {device + "device", "0x1521\n"},
                 {device + "subsystem_vendor", "0x8086\n"},
                 {device + "subsystem_device", "0x00a3\n"},
                 {device + "revision", "0x01\n"},
                 {device + "current_link_speed", "5.0 GT/s PCIe\n"},
                 {device + "max_link_speed", "Unknown\n"},
                 {device + "power_state", "D3hot\n"},
                 {"pci.ids",
                  "# x\n8086  Intel Corporation\n\t1521  I350\n\t\t8086 00a3  Adapter\n"
                  "C 02  Network controller\n\t00  Ethernet controller\n"}};
  const auto text = Collected("pcidevice", files);
  const std::string where = "bus=\"45\",device=\"00\",function=\"0\",segment=\"0000\"";
  CHECK_THAT(text, Contains("current_link_transfers_per_second{" + where + "} 5e+09\n") &&
                       Contains("max_link_transfers_per_second{" + where + "} -1\n") &&
                       Contains("power_state{" + where + ",state=\"D3hot\"} 1\n") &&
                       Contains("parent_bus=\"40\"") && Contains("class_id=\"0x020000\"") &&
                       !Contains("numa_node") && !Contains("vendor_name"));
  files[device + "vendor"] = "zz";
  CHECK_THAT(Collected("pcidevice", files), Contains("error: "));
}

TEST_CASE("nvmesubsystem: controllers and namespaces") {
  const std::string s = "sys/class/nvme-subsystem/nvme-subsys0/";
  const auto text = Collected("nvmesubsystem", {{s + "subsysnqn", "nqn.x\n"},
                                                {s + "nvme0/state", "live\n"},
                                                {s + "nvme0/transport", "tcp\n"},
                                                {s + "nvme1/state", "deleting (no IO)\n"},
                                                {s + "nvme0n1/size", "1"},
                                                {s + "power/x", "1"}});
  CHECK_THAT(text, Contains("paths{subsystem=\"nvme-subsys0\"} 2\n") &&
                       Contains("paths_live{subsystem=\"nvme-subsys0\"} 1\n") &&
                       Contains("controller=\"nvme1\",state=\"deleting\"") &&
                       Contains("namespace_info{device=\"nvme0n1\""));
}

TEST_CASE("drm: AMD cards only") {
  const auto text = Collected("drm", {{"sys/class/drm/card0/device/uevent", "DRIVER=amdgpu\n"},
                                      {"sys/class/drm/card0/device/gpu_busy_percent", "4\n"},
                                      {"sys/class/drm/card1/device/uevent", "DRIVER=i915\n"},
                                      {"sys/class/drm/card0-DP-1/status", "x"}});
  CHECK_THAT(text, Contains("node_drm_gpu_busy_percent{card=\"card0\"} 4\n") &&
                       !Contains("card1") && !Contains("DP-1"));
}
