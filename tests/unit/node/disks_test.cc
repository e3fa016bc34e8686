#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using millrace::node::test::Collected;
using millrace::node::test::CollectedFrom;
using millrace::node::test::Files;
using millrace::node::test::HasLine;
using millrace::node::test::Tree;

TEST_CASE("diskstats: columns, units, default filter, udev") {
  const Files files = {{"proc/diskstats",
                        "   8       0 sda 25354637 34367663 1003346126 18492372 28444756 11134226 "
                        "505697032 63877960 0 9653880 82621804\n"
                        "   8       1 sda1 1 2 3 4 5 6 7 8 9 10 11\n"
                        " 252       0 dm-0 1 0 2 3 4 0 5 6 7 8 9 10 11 12 13\n"},
                       {"sys/block/sda/queue/rotational", "1\n"},
                       {"udev/b8:0",
                        "S:disk/by-id/x\nE:ID_MODEL=MODEL=X\nE:ID_SERIAL_SHORT=S1\nE:ID_ATA=1\n"
                        "E:ID_ATA_WRITE_CACHE=1\nE:ID_FS_TYPE=ext4\n"}};
  const std::string text = Collected("diskstats", files);
  CHECK(HasLine(text, R"(node_disk_read_bytes_total{device="sda"} 5.13713216512e+11)"));
  CHECK(HasLine(text, R"(node_disk_io_time_seconds_total{device="sda"} 9653.880000000001)"));
  CHECK(HasLine(text, R"(node_disk_discards_completed_total{device="dm-0"} 10)"));
  CHECK_FALSE(HasLine(text, R"(node_disk_discards_completed_total{device="sda"} 0)"));
  CHECK(HasLine(
      text,
      R"(node_disk_info{device="sda",major="8",minor="0",model="MODEL=X",path="",revision="",)"
      R"(rotational="1",serial="S1",wwn=""} 1)"));
  CHECK(HasLine(text, R"(node_disk_ata_write_cache{device="sda"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_disk_filesystem_info{device="sda",type="ext4",usage="",uuid="",version=""} 1)"));
  CHECK(text.find("sda1") == std::string::npos);
  CHECK(
      Collected("diskstats", files, {"--collector.diskstats.device-include=^sda1$"}).find("dm-0") ==
      std::string::npos);
  CHECK(Collected(
            "diskstats", files,
            {"--collector.diskstats.device-include=a", "--collector.diskstats.device-exclude=b"}) ==
        "error: --collector.diskstats.device-exclude and --collector.diskstats.device-include are "
        "mutually exclusive");
  CHECK(HasLine(Collected("diskstats", {{"proc/diskstats", "8 0 sda 1 x\n"}}),
                R"(error: proc/diskstats: bad number "x")"));
}

TEST_CASE("mdadm: counts, sync, sysfs") {
  const std::string text = Collected(
      "mdadm",
      {{"proc/mdstat",
        "Personalities : [raid1] [raid0]\n"
        "md3 : active raid1 sda1[0] sdb1[1](S) sdc1[2](F)\n"
        "      248896 blocks [2/1] [U_]\n"
        "      [=>...................]  recovery =  8.5% (16775/195310) finish=17.0min "
        "speed=259783K/sec\n\n"
        "md4 : active raid0 sdd1[0] sde1[1]\n      4186624 blocks super 1.2 256k chunks\n\n"
        "unused devices: <none>\n"},
       {"sys/block/md3/md/level", "raid1\n"},
       {"sys/block/md3/md/raid_disks", "3 (2)\n"},
       {"sys/block/md3/md/degraded", "1\n"}});
  CHECK(HasLine(text, R"(node_md_state{device="md3",state="recovering"} 1)"));
  CHECK(HasLine(text, R"(node_md_state{device="md3",state="active"} 0)"));
  CHECK(HasLine(text, R"(node_md_disks{device="md3",state="active"} 1)"));
  CHECK(HasLine(text, R"(node_md_disks{device="md3",state="spare"} 1)"));
  CHECK(HasLine(text, R"(node_md_disks{device="md3",state="failed"} 1)"));
  CHECK(HasLine(text, R"(node_md_blocks_synced{device="md3"} 16775)"));
  CHECK(HasLine(text, R"(node_md_disks_required{device="md4"} 2)"));
  CHECK(HasLine(text, R"(node_md_raid_disks{device="md3"} 3)"));
  CHECK(HasLine(text, R"(node_md_degraded{device="md3"} 1)"));
  CHECK(HasLine(Collected("mdadm", {{"proc/mdstat", "md1 : active raid1\nx blocks [2/2]\n\n"}}),
                R"(error: proc/mdstat: bad size line "x blocks [2/2]")"));
}

TEST_CASE("nvme: device and namespaces, multipath names") {
  const std::string dir = "sys/class/nvme/nvme0/";
  const std::string text =
      Collected("nvme", {{dir + "firmware_rev", "1B2Q\n"},
                         {dir + "model", "Disk 1TB \n"},
                         {dir + "serial", "S680\n"},
                         {dir + "state", "live\n"},
                         {dir + "cntlid", "1997\n"},
                         {dir + "nvme0c0n5/nuse", "10\n"},
                         {dir + "nvme0c0n5/size", "100\n"},
                         {dir + "nvme0c0n5/queue/logical_block_size", "4096\n"}});
  CHECK(HasLine(
      text,
      R"(node_nvme_info{cntlid="1997",device="nvme0",firmware_revision="1B2Q",model="Disk 1TB",serial="S680",state="live"} 1)"));
  CHECK(HasLine(text, R"(node_nvme_namespace_used_bytes{device="nvme0",nsid="5"} 40960)"));
  CHECK(
      HasLine(text, R"(node_nvme_namespace_info{ana_state="unknown",device="nvme0",nsid="5"} 1)"));
}

TEST_CASE("xfs: a column of a line") {
  const std::string text = Collected(
      "xfs", {{"sys/fs/xfs/sda1/stats/stats", "extent_alloc 1 872 0 0\nrw 28 7\nnew_line 1\n"}});
  CHECK(HasLine(text, R"(node_xfs_extent_allocation_blocks_allocated_total{device="sda1"} 872)"));
  CHECK(HasLine(text, R"(node_xfs_read_calls_total{device="sda1"} 7)"));
  CHECK(Collected("xfs", {{"sys/fs/xfs/sda1/stats/stats", "rw 28\n"}}).find("error: ") !=
        std::string::npos);
}

TEST_CASE("zfs: kstats, pools, datasets, state") {
  const std::string dir = "proc/spl/kstat/zfs/";
  const std::string text = Collected(
      "zfs",
      {{dir + "arcstats",
        "6 1 0x01 91 4368 5266997922 97951858082072\nname type data\nhits 4 8772612\n"
        "memory_available_bytes 3 -922337203685477580\nlabel 7 text\n"},
       {dir + "tank/io", "12 3 0x00 1 80 1 2\nnread nwritten reads\n1884160 3206144 22\n"},
       {dir + "tank/objset-1", "36 1\nname type data\ndataset_name 7 tank/home dir\nwrites 4 4\n"},
       {dir + "tank/state", "ONLINE\n"}});
  CHECK(HasLine(text, "node_zfs_arc_hits 8.772612e+06"));
  CHECK(HasLine(text, "node_zfs_arc_memory_available_bytes -9.223372036854776e+17"));
  CHECK(text.find("label") == std::string::npos);
  CHECK(HasLine(text, R"(node_zfs_zpool_nwritten{zpool="tank"} 3.206144e+06)"));
  CHECK(HasLine(text, R"(node_zfs_zpool_dataset_writes{dataset="tank/home dir",zpool="tank"} 4)"));
  CHECK(HasLine(text, R"(node_zfs_zpool_state{state="online",zpool="tank"} 1)"));
  CHECK(Collected("zfs", {}) == "error: ZFS is not loaded");
}

TEST_CASE("filesystem: mounts of the host's first process, filters, escapes, errors as a label") {
  const Tree tree(millrace::node::test::Files{
      {"proc/1/mountinfo",
       "1 0 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw,errors=remount-ro\n"
       "2 1 0:5 / /sys rw - sysfs sysfs rw\n"
       "3 1 8:2 / /with\\040blank ro - xfs /dev/sdb1 rw\n"
       "4 1 8:3 / /gone rw - ext4 /dev/sdc1 rw\n"},
      {"with blank/", ""}});
  const std::string text = CollectedFrom("filesystem", tree);
  CHECK(HasLine(
      text,
      R"(node_filesystem_readonly{device="/dev/sda1",device_error="",fstype="ext4",mountpoint="/"} 0)"));
  CHECK(HasLine(
      text,
      R"(node_filesystem_readonly{device="/dev/sdb1",device_error="",fstype="xfs",mountpoint="/with blank"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_filesystem_mount_info{device="/dev/sdb1",major="8",minor="2",mountpoint="/with blank"} 1)"));
  CHECK(HasLine(
      text,
      R"(node_filesystem_device_error{device="/dev/sdc1",device_error="no such file or directory",fstype="ext4",mountpoint="/gone"} 1)"));
  CHECK(text.find("sysfs") == std::string::npos);
  CHECK(HasLine(
      Collected("filesystem", {{"proc/self/mountinfo", "1 0 8:1 / / rw - tmpfs t rw\n"}}),
      R"(node_filesystem_device_error{device="t",device_error="",fstype="tmpfs",mountpoint="/"} 0)"));
  CHECK(HasLine(Collected("filesystem", {{"proc/1/mountinfo", "1 0 8:1 / /\n"}}),
                R"(error: proc/1/mountinfo: bad line "1 0 8:1 / /")"));
}

TEST_CASE("filesystem: what may hang is asked on a thread of its own") {
  CHECK(HasLine(
      Collected("filesystem", {{"proc/1/mountinfo", "1 0 0:40 / / rw - nfs4 server:/x rw\n"}}),
      R"(node_filesystem_device_error{device="server:/x",device_error="",fstype="nfs4",mountpoint="/"} 0)"));
}
