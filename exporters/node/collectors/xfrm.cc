#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

struct Counter {
  std::string_view key;  ///< In /proc/net/xfrm_stat (Documentation/networking/xfrm_proc.rst).
  std::string_view name, help;
};
constexpr Counter kCounters[] = {
    {"XfrmInError", "node_xfrm_in_error_packets_total", "Inbound errors without a counter."},
    {"XfrmInBufferError", "node_xfrm_in_buffer_error_packets_total", "No buffer was left."},
    {"XfrmInHdrError", "node_xfrm_in_hdr_error_packets_total", "Bad header."},
    {"XfrmInNoStates", "node_xfrm_in_no_states_packets_total",
     "No state for the packet: its SPI, address or protocol is wrong."},
    {"XfrmInStateProtoError", "node_xfrm_in_state_proto_error_packets_total",
     "Error of the transformation protocol, such as a wrong key."},
    {"XfrmInStateModeError", "node_xfrm_in_state_mode_error_packets_total",
     "Error of the transformation mode."},
    {"XfrmInStateSeqError", "node_xfrm_in_state_seq_error_packets_total",
     "Sequence number outside of the window."},
    {"XfrmInStateExpired", "node_xfrm_in_state_expired_packets_total", "The state had expired."},
    {"XfrmInStateMismatch", "node_xfrm_in_state_mismatch_packets_total",
     "An option of the state does not match, such as UDP encapsulation."},
    {"XfrmInStateInvalid", "node_xfrm_in_state_invalid_packets_total", "The state was invalid."},
    {"XfrmInTmplMismatch", "node_xfrm_in_tmpl_mismatch_packets_total",
     "No template matches the states: the inbound policy is wrong."},
    {"XfrmInNoPols", "node_xfrm_in_no_pols_packets_total", "States without a policy."},
    {"XfrmInPolBlock", "node_xfrm_in_pol_block_packets_total", "A policy discards."},
    {"XfrmInPolError", "node_xfrm_in_pol_error_packets_total", "Policy error."},
    {"XfrmOutError", "node_xfrm_out_error_packets_total", "Outbound errors without a counter."},
    {"XfrmOutBundleGenError", "node_xfrm_out_bundle_gen_error_packets_total",
     "The bundle could not be made."},
    {"XfrmOutBundleCheckError", "node_xfrm_out_bundle_check_error_packets_total",
     "The bundle failed its check."},
    {"XfrmOutNoStates", "node_xfrm_out_no_states_packets_total", "No state was found."},
    {"XfrmOutStateProtoError", "node_xfrm_out_state_proto_error_packets_total",
     "Error of the transformation protocol."},
    {"XfrmOutStateModeError", "node_xfrm_out_state_mode_error_packets_total",
     "Error of the transformation mode."},
    {"XfrmOutStateSeqError", "node_xfrm_out_state_seq_error_packets_total",
     "The sequence number overflowed."},
    {"XfrmOutStateExpired", "node_xfrm_out_state_expired_packets_total", "The state had expired."},
    {"XfrmOutPolBlock", "node_xfrm_out_pol_block_packets_total", "A policy discards."},
    {"XfrmOutPolDead", "node_xfrm_out_pol_dead_packets_total", "The policy is dead."},
    {"XfrmOutPolError", "node_xfrm_out_pol_error_packets_total", "Policy error."},
    {"XfrmFwdHdrError", "node_xfrm_fwd_hdr_error_packets_total",
     "The packet may not be forwarded."},
    {"XfrmOutStateInvalid", "node_xfrm_out_state_invalid_packets_total",
     "The state was invalid, perhaps expired."},
    {"XfrmAcquireError", "node_xfrm_acquire_error_packets_total",
     "The state was used before it was fully acquired."},
};

class Xfrm : public Collector {
 public:
  explicit Xfrm(const Context& context) : path_(context.paths.Proc("net/xfrm_stat")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    double values[std::size(kCounters)] = {};
    std::string_view line;
    while (NextLine(rest, line)) {
      const Words<2> words(line);
      const auto value = ParseNumber<double>(words[1]);
      if (words.size() != 2 || !value) return BadContent(path_, "line", line);
      for (std::size_t i = 0; i < std::size(kCounters); ++i)
        if (kCounters[i].key == words[0]) values[i] = *value;
    }
    // An older kernel lacks some: they are 0.
    for (std::size_t i = 0; i < std::size(kCounters); ++i)
      out.Counter(kCounters[i].name, kCounters[i].help, values[i]);
    return {};
  }

 private:
  const std::string path_;
  FileReader files_;
};

}  // namespace

MILLRACE_COLLECTOR(Xfrm) = {"xfrm", false, "IPsec errors", nullptr, &MakeCollector<Xfrm>};

}  // namespace millrace::node
