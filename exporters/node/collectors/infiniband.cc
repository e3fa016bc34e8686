#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Counter {
  std::string_view dir, file;
  double factor;  // data is counted by lane, and a port has four
  Metric metric;
};
constexpr Counter kCounters[] = {
    {"counters_ext",
     "port_multicast_rcv_packets",
     1,
     {"node_infiniband_legacy_multicast_packets_received_total", kCounter,
      "Multicast packets received (counters_ext)."}},
    {"counters_ext",
     "port_multicast_xmit_packets",
     1,
     {"node_infiniband_legacy_multicast_packets_transmitted_total", kCounter,
      "Multicast packets sent (counters_ext)."}},
    {"counters_ext",
     "port_rcv_data_64",
     4,
     {"node_infiniband_legacy_data_received_bytes_total", kCounter,
      "Bytes received on all links (counters_ext)."}},
    {"counters_ext",
     "port_rcv_packets_64",
     1,
     {"node_infiniband_legacy_packets_received_total", kCounter,
      "Packets received on all links (counters_ext)."}},
    {"counters_ext",
     "port_unicast_rcv_packets",
     1,
     {"node_infiniband_legacy_unicast_packets_received_total", kCounter,
      "Unicast packets received (counters_ext)."}},
    {"counters_ext",
     "port_unicast_xmit_packets",
     1,
     {"node_infiniband_legacy_unicast_packets_transmitted_total", kCounter,
      "Unicast packets sent (counters_ext)."}},
    {"counters_ext",
     "port_xmit_data_64",
     4,
     {"node_infiniband_legacy_data_transmitted_bytes_total", kCounter,
      "Bytes sent on all links (counters_ext)."}},
    {"counters_ext",
     "port_xmit_packets_64",
     1,
     {"node_infiniband_legacy_packets_transmitted_total", kCounter,
      "Packets sent on all links (counters_ext)."}},
    {"counters",
     "excessive_buffer_overrun_errors",
     1,
     {"node_infiniband_excessive_buffer_overrun_errors_total", kCounter,
      "Times the buffer overran for several flow control periods in a row."}},
    {"counters",
     "link_downed",
     1,
     {"node_infiniband_link_downed_total", kCounter,
      "Times the link did not recover from an error and went down."}},
    {"counters",
     "link_error_recovery",
     1,
     {"node_infiniband_link_error_recovery_total", kCounter,
      "Times the link recovered from an error."}},
    {"counters",
     "local_link_integrity_errors",
     1,
     {"node_infiniband_local_link_integrity_errors_total", kCounter,
      "Times local physical errors passed their threshold."}},
    {"counters",
     "multicast_rcv_packets",
     1,
     {"node_infiniband_multicast_packets_received_total", kCounter,
      "Multicast packets received, with errors too."}},
    {"counters",
     "multicast_xmit_packets",
     1,
     {"node_infiniband_multicast_packets_transmitted_total", kCounter,
      "Multicast packets sent, with errors too."}},
    {"counters",
     "port_rcv_constraint_errors",
     1,
     {"node_infiniband_port_constraint_errors_received_total", kCounter,
      "Packets received and discarded by a constraint."}},
    {"counters",
     "port_xmit_constraint_errors",
     1,
     {"node_infiniband_port_constraint_errors_transmitted_total", kCounter,
      "Packets not sent because of a constraint."}},
    {"counters",
     "port_rcv_data",
     4,
     {"node_infiniband_port_data_received_bytes_total", kCounter, "Bytes received on all links."}},
    {"counters",
     "port_xmit_data",
     4,
     {"node_infiniband_port_data_transmitted_bytes_total", kCounter, "Bytes sent on all links."}},
    {"counters",
     "port_rcv_discards",
     1,
     {"node_infiniband_port_discards_received_total", kCounter,
      "Packets discarded on arrival: port down or congested."}},
    {"counters",
     "port_xmit_discards",
     1,
     {"node_infiniband_port_discards_transmitted_total", kCounter,
      "Packets discarded on sending: port down or congested."}},
    {"counters",
     "port_rcv_errors",
     1,
     {"node_infiniband_port_errors_received_total", kCounter, "Packets received with an error."}},
    {"counters",
     "port_rcv_packets",
     1,
     {"node_infiniband_port_packets_received_total", kCounter,
      "Packets received on all virtual lanes, with errors too."}},
    {"counters",
     "port_xmit_packets",
     1,
     {"node_infiniband_port_packets_transmitted_total", kCounter,
      "Packets sent on all virtual lanes, with errors too."}},
    {"counters",
     "port_xmit_wait",
     1,
     {"node_infiniband_port_transmit_wait_total", kCounter,
      "Ticks with data to send and none sent."}},
    {"counters",
     "unicast_rcv_packets",
     1,
     {"node_infiniband_unicast_packets_received_total", kCounter,
      "Unicast packets received, with errors too."}},
    {"counters",
     "unicast_xmit_packets",
     1,
     {"node_infiniband_unicast_packets_transmitted_total", kCounter,
      "Unicast packets sent, with errors too."}},
    {"counters",
     "port_rcv_remote_physical_errors",
     1,
     {"node_infiniband_port_receive_remote_physical_errors_total", kCounter,
      "Packets received that end with the mark of a bad packet."}},
    {"counters",
     "port_rcv_switch_relay_errors",
     1,
     {"node_infiniband_port_receive_switch_relay_errors_total", kCounter,
      "Packets the switch could not forward."}},
    {"counters",
     "symbol_error",
     1,
     {"node_infiniband_symbol_error_total", kCounter, "Small errors on a lane."}},
    {"counters",
     "VL15_dropped",
     1,
     {"node_infiniband_vl15_dropped_total", kCounter,
      "Management packets dropped for lack of room."}},
    {"hw_counters",
     "duplicate_request",
     1,
     {"node_infiniband_duplicate_requests_packets_total", kCounter,
      "RoCE hardware counter duplicate_request."}},
    {"hw_counters",
     "implied_nak_seq_err",
     1,
     {"node_infiniband_implied_nak_seq_errors_total", kCounter,
      "RoCE hardware counter implied_nak_seq_err."}},
    {"hw_counters",
     "local_ack_timeout_err",
     1,
     {"node_infiniband_local_ack_timeout_errors_total", kCounter,
      "RoCE hardware counter local_ack_timeout_err."}},
    {"hw_counters",
     "np_cnp_sent",
     1,
     {"node_infiniband_np_cnp_packets_sent_total", kCounter, "RoCE hardware counter np_cnp_sent."}},
    {"hw_counters",
     "np_ecn_marked_roce_packets",
     1,
     {"node_infiniband_np_ecn_marked_roce_packets_received_total", kCounter,
      "RoCE hardware counter np_ecn_marked_roce_packets."}},
    {"hw_counters",
     "out_of_buffer",
     1,
     {"node_infiniband_out_of_buffer_drops_total", kCounter,
      "RoCE hardware counter out_of_buffer."}},
    {"hw_counters",
     "out_of_sequence",
     1,
     {"node_infiniband_out_of_sequence_packets_received_total", kCounter,
      "RoCE hardware counter out_of_sequence."}},
    {"hw_counters",
     "packet_seq_err",
     1,
     {"node_infiniband_packet_sequence_errors_total", kCounter,
      "RoCE hardware counter packet_seq_err."}},
    {"hw_counters",
     "req_cqe_error",
     1,
     {"node_infiniband_req_cqes_errors_total", kCounter, "RoCE hardware counter req_cqe_error."}},
    {"hw_counters",
     "req_cqe_flush_error",
     1,
     {"node_infiniband_req_cqes_flush_errors_total", kCounter,
      "RoCE hardware counter req_cqe_flush_error."}},
    {"hw_counters",
     "req_remote_access_errors",
     1,
     {"node_infiniband_req_remote_access_errors_total", kCounter,
      "RoCE hardware counter req_remote_access_errors."}},
    {"hw_counters",
     "req_remote_invalid_request",
     1,
     {"node_infiniband_req_remote_invalid_request_errors_total", kCounter,
      "RoCE hardware counter req_remote_invalid_request."}},
    {"hw_counters",
     "resp_cqe_error",
     1,
     {"node_infiniband_resp_cqes_errors_total", kCounter, "RoCE hardware counter resp_cqe_error."}},
    {"hw_counters",
     "resp_cqe_flush_error",
     1,
     {"node_infiniband_resp_cqes_flush_errors_total", kCounter,
      "RoCE hardware counter resp_cqe_flush_error."}},
    {"hw_counters",
     "resp_local_length_error",
     1,
     {"node_infiniband_resp_local_length_errors_total", kCounter,
      "RoCE hardware counter resp_local_length_error."}},
    {"hw_counters",
     "resp_remote_access_errors",
     1,
     {"node_infiniband_resp_remote_access_errors_total", kCounter,
      "RoCE hardware counter resp_remote_access_errors."}},
    {"hw_counters",
     "rnr_nak_retry_err",
     1,
     {"node_infiniband_rnr_nak_retry_packets_received_total", kCounter,
      "RoCE hardware counter rnr_nak_retry_err."}},
    {"hw_counters",
     "roce_adp_retrans",
     1,
     {"node_infiniband_roce_adp_retransmits_total", kCounter,
      "RoCE hardware counter roce_adp_retrans."}},
    {"hw_counters",
     "roce_adp_retrans_to",
     1,
     {"node_infiniband_roce_adp_retransmits_timeout_total", kCounter,
      "RoCE hardware counter roce_adp_retrans_to."}},
    {"hw_counters",
     "roce_slow_restart",
     1,
     {"node_infiniband_roce_slow_restart_used_total", kCounter,
      "RoCE hardware counter roce_slow_restart."}},
    {"hw_counters",
     "roce_slow_restart_cnps",
     1,
     {"node_infiniband_roce_slow_restart_cnps_total", kCounter,
      "RoCE hardware counter roce_slow_restart_cnps."}},
    {"hw_counters",
     "roce_slow_restart_trans",
     1,
     {"node_infiniband_roce_slow_restart_total", kCounter,
      "RoCE hardware counter roce_slow_restart_trans."}},
    {"hw_counters",
     "rp_cnp_handled",
     1,
     {"node_infiniband_rp_cnp_packets_handled_total", kCounter,
      "RoCE hardware counter rp_cnp_handled."}},
    {"hw_counters",
     "rp_cnp_ignored",
     1,
     {"node_infiniband_rp_cnp_ignored_packets_received_total", kCounter,
      "RoCE hardware counter rp_cnp_ignored."}},
    {"hw_counters",
     "rx_atomic_requests",
     1,
     {"node_infiniband_rx_atomic_requests_total", kCounter,
      "RoCE hardware counter rx_atomic_requests."}},
    {"hw_counters",
     "rx_dct_connect",
     1,
     {"node_infiniband_rx_dct_connect_requests_total", kCounter,
      "RoCE hardware counter rx_dct_connect."}},
    {"hw_counters",
     "rx_read_requests",
     1,
     {"node_infiniband_rx_read_requests_total", kCounter,
      "RoCE hardware counter rx_read_requests."}},
    {"hw_counters",
     "rx_write_requests",
     1,
     {"node_infiniband_rx_write_requests_total", kCounter,
      "RoCE hardware counter rx_write_requests."}},
    {"hw_counters",
     "rx_icrc_encapsulated",
     1,
     {"node_infiniband_rx_icrc_encapsulated_errors_total", kCounter,
      "RoCE hardware counter rx_icrc_encapsulated."}},
};

constexpr Metric kState = {
    "node_infiniband_state_id", kGauge,
    "State of a port: 0 no change, 1 down, 2 init, 3 armed, 4 active, 5 act defer."};
constexpr Metric kPhysicalState = {
    "node_infiniband_physical_state_id", kGauge,
    "Physical state of a port: 0 no change, 1 sleep, 2 polling, 3 disable, 4 shift, 5 link up, "
    "6 link error recover, 7 phytest."};
constexpr Metric kRate = {"node_infiniband_rate_bytes_per_second", kGauge,
                          "Highest rate of a port."};
constexpr Metric kLifespan = {"node_infiniband_lifespan_seconds", kGauge,
                              "Age up to which the hardware counters may be cached."};
constexpr double kBytesPerGigabit = 125000000;

// strconv.ParseUint with base 0.
std::optional<std::uint64_t> AnyBase(std::string_view text) {
  if (text.starts_with("0x")) return ParseNumber<std::uint64_t>(text.substr(2), 16);
  return ParseNumber<std::uint64_t>(text);
}

class Infiniband : public Collector {
 public:
  Infiniband(const Context& context, NameFilter filter)
      : root_(context.paths.Sys("class/infiniband")), filter_(std::move(filter)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(devices_.Read(root_));
    for (const std::string_view device : devices_) {
      if (filter_.Ignored(device)) continue;
      MILLRACE_TRY(Device(out, device));
    }
    return {};
  }

 private:
  Status Device(MetricWriter& out, std::string_view device) {
    MILLRACE_ASSIGN(const std::string_view firmware,
                    files_.Read(JoinPath(path_, {root_, device, "fw_ver"})));
    firmware_.assign(Trim(firmware));
    board_.assign(files_.Try(JoinPath(path_, {root_, device, "board_id"})).value_or(""));
    const auto type = files_.Try(JoinPath(path_, {root_, device, "hca_type"})).value_or("");
    out.Family("node_infiniband_info", kGauge, "Always 1; what an InfiniBand device is.");
    out.Sample({{"board_id", board_},
                {"device", device},
                {"firmware_version", firmware_},
                {"hca_type", type}},
               1);
    MILLRACE_TRY(ports_.Read(JoinPath(path_, {root_, device, "ports"})));
    for (const std::string_view port : ports_) {
      if (!ParseNumber<unsigned>(port)) return BadContent(path_, "port", port);
      port_.assign(JoinPath(path_, {root_, device, "ports", port}));
      const auto labels = {Label{"device", device}, Label{"port", port}};
      MILLRACE_TRY(Port(out, labels));
    }
    return {};
  }

  Status Port(MetricWriter& out, std::initializer_list<Label> labels) {
    MILLRACE_TRY(Id(out, labels, kState, "state"));
    MILLRACE_TRY(Id(out, labels, kPhysicalState, "phys_state"));
    // "100 Gb/sec (4X EDR)"
    MILLRACE_ASSIGN(std::string_view rate, files_.Read(JoinPath(path_, {port_, "rate"})));
    // Single precision and whole bytes, as the original.
    const auto gigabits = ParseNumber<float>(NextWord(rate));
    if (!gigabits) return BadContent(path_, "rate", rate);
    out.Family(kRate);
    out.Sample(labels, static_cast<double>(static_cast<std::uint64_t>(
                           static_cast<double>(*gigabits) * kBytesPerGigabit)));
    for (const Counter& counter : kCounters) {
      const auto value = Read(counter.dir, counter.file);
      if (!value) return tl::make_unexpected(value.error());
      if (!*value) continue;
      out.Family(counter.metric);
      out.Sample(labels, static_cast<double>(**value) * counter.factor);
    }
    const auto lifespan = Read("hw_counters", "lifespan");
    if (!lifespan) return tl::make_unexpected(lifespan.error());
    if (*lifespan) {
      out.Family(kLifespan);
      out.Sample(labels, static_cast<double>(**lifespan / 1000));
    }
    return {};
  }

  // "4: ACTIVE"
  Status Id(MetricWriter& out, std::initializer_list<Label> labels, const Metric& metric,
            std::string_view file) {
    MILLRACE_ASSIGN(std::string_view text, files_.Read(JoinPath(path_, {port_, file})));
    const auto id = ParseNumber<unsigned>(Trim(NextPiece(text, ':')));
    if (!id) return BadContent(path_, "state", text);
    out.Family(metric);
    out.Sample(labels, *id);
    return {};
  }

  // Nothing for a counter that this port does not have or does not support.
  Result<std::optional<std::uint64_t>> Read(std::string_view dir, std::string_view file) {
    const auto text = files_.Try(JoinPath(path_, {port_, dir, file}));
    if (!text) {
      switch (files_.last_errno()) {
        case ENOENT:
        case ENOTDIR:
        case EACCES:
        case EPERM:
        case EINVAL:
        case EOPNOTSUPP:
          return std::nullopt;
        default:
          return FailErrno("read " + path_, files_.last_errno());
      }
    }
    const auto value = AnyBase(*text);
    if (value) return value;
    if (text->find("N/A (no PMA)") != std::string_view::npos) return std::nullopt;
    return BadContent(path_, "number", *text);
  }

  const std::string root_;
  NameFilter filter_;
  FileReader files_;
  DirList devices_, ports_;
  std::string path_, port_, firmware_, board_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.infiniband.device-include", "",
             "Regexp of devices to include (not together with device-exclude).");
  flags.Text("collector.infiniband.device-exclude", "",
             "Regexp of devices to leave out (not together with device-include).");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter filter,
                  NameFilter::Make(context.flags.GetText("collector.infiniband.device-exclude"),
                                   context.flags.GetText("collector.infiniband.device-include")));
  return std::make_unique<Infiniband>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Infiniband) = {"infiniband", true, "InfiniBand and RoCE ports", &Declare, &Make};

}  // namespace millrace::node
