#include <array>
#include <set>
#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Columns of the lines of fs/nfs/super.c (nfs_show_stats) and net/sunrpc/xprtsock.c.
constexpr Metric kBytes[] = {
    {"node_mountstats_nfs_read_bytes_total", kCounter, "Bytes that read() got."},
    {"node_mountstats_nfs_write_bytes_total", kCounter, "Bytes that write() gave."},
    {"node_mountstats_nfs_direct_read_bytes_total", kCounter, "Bytes read with O_DIRECT."},
    {"node_mountstats_nfs_direct_write_bytes_total", kCounter, "Bytes written with O_DIRECT."},
    {"node_mountstats_nfs_total_read_bytes_total", kCounter, "Bytes read from the server."},
    {"node_mountstats_nfs_total_write_bytes_total", kCounter, "Bytes written to the server."},
    {"node_mountstats_nfs_read_pages_total", kCounter, "Pages read through mmap()."},
    {"node_mountstats_nfs_write_pages_total", kCounter, "Pages written through mmap()."},
};
constexpr Metric kEvents[] = {
    {"node_mountstats_nfs_event_inode_revalidate_total", kCounter,
     "Cached attributes of inodes checked with the server."},
    {"node_mountstats_nfs_event_dnode_revalidate_total", kCounter,
     "Cached directory entries checked with the server."},
    {"node_mountstats_nfs_event_data_invalidate_total", kCounter, "Inode caches cleared."},
    {"node_mountstats_nfs_event_attribute_invalidate_total", kCounter,
     "Cached attributes found to be outdated."},
    {"node_mountstats_nfs_event_vfs_open_total", kCounter, "Files or directories opened."},
    {"node_mountstats_nfs_event_vfs_lookup_total", kCounter, "Names looked up in a directory."},
    {"node_mountstats_nfs_event_vfs_access_total", kCounter, "Permissions checked."},
    {"node_mountstats_nfs_event_vfs_update_page_total", kCounter, "Pages updated."},
    {"node_mountstats_nfs_event_vfs_read_page_total", kCounter, "Single pages read."},
    {"node_mountstats_nfs_event_vfs_read_pages_total", kCounter, "Groups of pages read."},
    {"node_mountstats_nfs_event_vfs_write_page_total", kCounter, "Single pages written."},
    {"node_mountstats_nfs_event_vfs_write_pages_total", kCounter, "Groups of pages written."},
    {"node_mountstats_nfs_event_vfs_getdents_total", kCounter, "Directories read."},
    {"node_mountstats_nfs_event_vfs_setattr_total", kCounter, "Attributes set."},
    {"node_mountstats_nfs_event_vfs_flush_total", kCounter, "Pending writes forced out."},
    {"node_mountstats_nfs_event_vfs_fsync_total", kCounter, "Calls of fsync()."},
    {"node_mountstats_nfs_event_vfs_lock_total", kCounter, "Locks tried."},
    {"node_mountstats_nfs_event_vfs_file_release_total", kCounter, "Files closed."},
    {"", kCounter, ""},  // congestion_wait: the kernel no longer counts it
    {"node_mountstats_nfs_event_truncation_total", kCounter, "Files made shorter."},
    {"node_mountstats_nfs_event_write_extension_total", kCounter,
     "Files that grew by a write behind their end."},
    {"node_mountstats_nfs_event_silly_rename_total", kCounter,
     "Files removed while somebody had them open."},
    {"node_mountstats_nfs_event_short_read_total", kCounter, "Reads that got less than expected."},
    {"node_mountstats_nfs_event_short_write_total", kCounter,
     "Writes that stored less than expected."},
    {"node_mountstats_nfs_event_jukebox_delay_total", kCounter,
     "Answers that data has to come from offline storage (EJUKEBOX)."},
    {"node_mountstats_nfs_event_pnfs_read_total", kCounter, "pNFS reads."},
    {"node_mountstats_nfs_event_pnfs_write_total", kCounter, "pNFS writes."},
};
/// Columns of "xprt:" after the port; UDP has no 1 to 3.
struct TransportColumn {
  std::size_t index;
  Metric metric;
};
constexpr TransportColumn kTransport[] = {
    {1,
     {"node_mountstats_nfs_transport_bind_total", kCounter,
      "Times that a connection was made from scratch."}},
    {2, {"node_mountstats_nfs_transport_connect_total", kCounter, "TCP connections made."}},
    {4,
     {"node_mountstats_nfs_transport_idle_time_seconds", kGauge, "Time since the last traffic."}},
    {5, {"node_mountstats_nfs_transport_sends_total", kCounter, "RPC requests sent."}},
    {6, {"node_mountstats_nfs_transport_receives_total", kCounter, "RPC answers received."}},
    {7,
     {"node_mountstats_nfs_transport_bad_transaction_ids_total", kCounter,
      "Answers whose transaction nobody knew."}},
    {9,
     {"node_mountstats_nfs_transport_backlog_queue_total", kCounter,
      "Sum of the lengths of the backlog queue."}},
    {10,
     {"node_mountstats_nfs_transport_maximum_rpc_slots", kGauge,
      "Most requests under way at once."}},
    {11,
     {"node_mountstats_nfs_transport_sending_queue_total", kCounter,
      "Sum of the lengths of the sending queue."}},
    {12,
     {"node_mountstats_nfs_transport_pending_queue_total", kCounter,
      "Sum of the lengths of the pending queue."}},
};
struct OperationColumn {
  Metric metric;
  bool milliseconds = false;
};
constexpr OperationColumn kOperations[] = {
    {{"node_mountstats_nfs_operations_requests_total", kCounter, "Requests."}},
    {{"node_mountstats_nfs_operations_transmissions_total", kCounter, "Requests transmitted."}},
    {{"node_mountstats_nfs_operations_major_timeouts_total", kCounter, "Major timeouts."}},
    {{"node_mountstats_nfs_operations_sent_bytes_total", kCounter,
      "Bytes sent, headers included."}},
    {{"node_mountstats_nfs_operations_received_bytes_total", kCounter,
      "Bytes received, headers included."}},
    {{"node_mountstats_nfs_operations_queue_time_seconds_total", kCounter,
      "Time that requests waited to be sent."},
     true},
    {{"node_mountstats_nfs_operations_response_time_seconds_total", kCounter,
      "Time between sending and the answer."},
     true},
    {{"node_mountstats_nfs_operations_request_time_seconds_total", kCounter,
      "Time from the queue to the end of requests."},
     true},
};

/// Counters of the kernel that underflowed must not hide behind a rounded double: dashboards see
/// the remainder, as with the original.
constexpr std::uint64_t kMantissa = std::uint64_t{1} << 53;

struct Mount {
  std::string_view device, point, type;
  std::string address;
  double age = 0;
  std::vector<std::uint64_t> bytes, events;
  struct Transport {
    std::string_view protocol;
    std::array<std::uint64_t, 13> columns{};
  };
  std::vector<Transport> transports;
  struct Operation {
    std::string_view name;
    std::array<std::uint64_t, 8> columns{};
  };
  std::vector<Operation> operations;
};

/// Numbers of a line; nothing when one is none or there are fewer than `least`.
std::optional<std::vector<std::uint64_t>> Numbers(std::string_view rest, std::size_t least) {
  std::vector<std::uint64_t> out;
  for (auto word = NextWord(rest); !word.empty(); word = NextWord(rest)) {
    const auto value = ParseNumber<std::uint64_t>(word);
    if (!value) return std::nullopt;
    out.push_back(*value);
  }
  if (out.size() < least) return std::nullopt;
  return out;
}

std::optional<Mount::Transport> ParseTransport(std::string_view rest) {
  Mount::Transport t;
  t.protocol = NextWord(rest);
  auto numbers = Numbers(rest, 7);
  if (!numbers) return std::nullopt;
  if (t.protocol == "udp") numbers->insert(numbers->begin() + 2, 3, 0);
  std::copy_n(numbers->begin(), std::min(numbers->size(), t.columns.size()), t.columns.begin());
  return t;
}

/// Lines of one NFS mount up to the empty line; false on a line that breaks the format.
bool ParseNfs(std::string_view& rest, Mount& m, std::string_view& line) {
  bool operations = false;
  while (NextLine(rest, line)) {
    std::string_view words = line;
    const std::string_view key = NextWord(words);
    if (key.empty()) return true;
    if (operations) {
      const auto numbers = Numbers(words, 8);
      if (!numbers || !key.ends_with(':')) return false;
      auto& op = m.operations.emplace_back();
      op.name = key.substr(0, key.size() - 1);
      std::copy_n(numbers->begin(), op.columns.size(), op.columns.begin());
    } else if (key == "age:") {
      const auto age = ParseNumber<double>(NextWord(words));
      if (!age) return false;
      m.age = *age;
    } else if (key == "bytes:") {
      auto numbers = Numbers(words, std::size(kBytes));
      if (!numbers) return false;
      m.bytes = std::move(*numbers);
    } else if (key == "events:") {
      auto numbers = Numbers(words, std::size(kEvents));
      if (!numbers) return false;
      m.events = std::move(*numbers);
    } else if (key == "xprt:") {
      const auto transport = ParseTransport(words);
      if (!transport) return false;
      m.transports.push_back(*transport);
    } else if (key == "per-op") {
      operations = true;
    }
  }
  return true;
}

class Mountstats : public Collector {
 public:
  explicit Mountstats(const Context& context)
      : stats_path_(context.paths.Proc("self/mountstats")),
        info_path_(context.paths.Proc("self/mountinfo")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(ReadAddresses());
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(stats_path_));
    std::set<std::string> mounts, devices;
    std::string_view line;
    // The entries of mountinfo stand in the same order.
    for (std::size_t index = 0; NextLine(rest, line);) {
      const Words<9> words(line);
      if (words[0] != "device") continue;
      if (words.size() < 8) return BadContent(stats_path_, "line", line);
      Mount m{words[1], words[4], words[7], {}, 0, {}, {}, {}, {}};
      if (index < addresses_.size()) m.address = addresses_[index];
      ++index;
      if (words.size() == 8 || !m.type.starts_with("nfs")) continue;
      if (!ParseNfs(rest, m, line)) return BadContent(stats_path_, "line", line);
      for (const auto& transport : m.transports) {
        std::string key =
            std::string(m.device) + '\n' + std::string(transport.protocol) + '\n' + m.address;
        if (mounts.insert(key + '\n' + std::string(m.point)).second)
          Emit(out, {"node_mountstats_nfs_mountpoint_info", kGauge, "Always 1 for a mount point."},
               {{"export", m.device},
                {"mountaddr", m.address},
                {"mountpoint", m.point},
                {"protocol", transport.protocol}},
               1);
        // Mounts of one export share their counters.
        if (!devices.insert(std::move(key)).second) break;
        EmitNfs(m, transport.protocol, out);
      }
    }
    return {};
  }

 private:
  /// The option addr= of every mount, "" without.
  Status ReadAddresses() {
    addresses_.clear();
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(info_path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      const auto separator = line.find(" - ");
      std::string_view options =
          separator == std::string_view::npos ? "" : line.substr(separator + 3);
      NextWord(options);  // type
      NextWord(options);  // source
      options = NextWord(options);
      std::string address;
      while (!options.empty()) {
        const std::string_view option = NextPiece(options, ',');
        if (option.starts_with("addr=")) address = option.substr(5);
      }
      addresses_.push_back(std::move(address));
    }
    return {};
  }

  static void EmitNfs(const Mount& m, std::string_view protocol, MetricWriter& out) {
    const std::initializer_list<Label> labels = {
        {"export", m.device}, {"mountaddr", m.address}, {"protocol", protocol}};
    Emit(out, {"node_mountstats_nfs_age_seconds_total", kCounter, "Age of the mount."}, labels,
         m.age);
    for (std::size_t i = 0; i < std::size(kBytes); ++i)
      Emit(out, kBytes[i], labels, i < m.bytes.size() ? static_cast<double>(m.bytes[i]) : 0);
    for (std::size_t i = 0; i < std::size(kEvents); ++i)
      if (!kEvents[i].name.empty())
        Emit(out, kEvents[i], labels, i < m.events.size() ? static_cast<double>(m.events[i]) : 0);
    for (std::size_t t = 0; t < m.transports.size(); ++t)
      for (const TransportColumn& c : kTransport)
        Emit(out, c.metric,
             {{"export", m.device},
              {"mountaddr", m.address},
              {"protocol", protocol},
              {"transport", NumberText(t).view()}},
             static_cast<double>(c.index == 4 ? m.transports[t].columns[c.index] % kMantissa
                                              : m.transports[t].columns[c.index]));
    for (const Mount::Operation& op : m.operations)
      for (std::size_t i = 0; i < std::size(kOperations); ++i)
        Emit(out, kOperations[i].metric,
             {{"export", m.device},
              {"mountaddr", m.address},
              {"operation", op.name},
              {"protocol", protocol}},
             kOperations[i].milliseconds ? static_cast<double>(op.columns[i] % kMantissa) / 1000
                                         : static_cast<double>(op.columns[i]));
  }

  const std::string stats_path_, info_path_;
  FileReader files_;
  std::vector<std::string> addresses_;
};

}  // namespace

MILLRACE_COLLECTOR(Mountstats) = {"mountstats", false, "NFS mounts", nullptr,
                                  &MakeCollector<Mountstats>};

}  // namespace millrace::node
