#include <cerrno>

#include <sys/timex.h>

#include "exporters/node/collector.h"

namespace millrace::node {
namespace {

// adjtimex(2): frequencies are parts per million with 16 fractional bits, times are microseconds,
// or nanoseconds when STA_NANO is set.
constexpr double kPpm = 1000000.0 * 65536.0;
constexpr double kMicroseconds = 1000000;
constexpr double kNanoseconds = 1000000000;

class Timex : public Collector {
 public:
  explicit Timex(const Context&) {}

  Status Collect(MetricWriter& out) override {
    timex t{};
    const int state = ::adjtimex(&t);
    if (state < 0 && (errno == EPERM || errno == EACCES))
      return NoData("adjtimex is not permitted");
    if (state < 0) return FailErrno("adjtimex", errno);
    const double divisor = (t.status & STA_NANO) != 0 ? kNanoseconds : kMicroseconds;
    const auto d = [](auto v) { return static_cast<double>(v); };
    out.Gauge("node_timex_sync_status", "1 when the clock follows a reliable server.",
              state == TIME_ERROR ? 0 : 1);
    out.Gauge("node_timex_offset_seconds", "Offset between the clock and its reference.",
              d(t.offset) / divisor);
    out.Gauge("node_timex_frequency_adjustment_ratio", "Adjustment of the clock's frequency.",
              1 + d(t.freq) / kPpm);
    out.Gauge("node_timex_maxerror_seconds", "Largest error.", d(t.maxerror) / kMicroseconds);
    out.Gauge("node_timex_estimated_error_seconds", "Estimated error.",
              d(t.esterror) / kMicroseconds);
    out.Gauge("node_timex_status", "Status bits of the clock.", d(t.status));
    out.Gauge("node_timex_loop_time_constant", "Time constant of the phase-locked loop.",
              d(t.constant));
    out.Gauge("node_timex_tick_seconds", "Seconds between ticks.", d(t.tick) / kMicroseconds);
    out.Gauge("node_timex_pps_frequency_hertz", "Frequency of the pulse per second.",
              d(t.ppsfreq) / kPpm);
    out.Gauge("node_timex_pps_jitter_seconds", "Jitter of the pulse per second.",
              d(t.jitter) / divisor);
    out.Gauge("node_timex_pps_shift_seconds", "Interval of the pulse per second.", d(t.shift));
    out.Gauge("node_timex_pps_stability_hertz", "Stability of the pulse per second.",
              d(t.stabil) / kPpm);
    out.Counter("node_timex_pps_jitter_total", "Times the limit of the jitter was passed.",
                d(t.jitcnt));
    out.Counter("node_timex_pps_calibration_total", "Intervals of calibration.", d(t.calcnt));
    out.Counter("node_timex_pps_error_total", "Errors of calibration.", d(t.errcnt));
    out.Counter("node_timex_pps_stability_exceeded_total",
                "Times the limit of the stability was passed.", d(t.stbcnt));
    out.Gauge("node_timex_tai_offset_seconds", "Offset to International Atomic Time.", d(t.tai));
    return {};
  }
};

}  // namespace

MILLRACE_COLLECTOR(Timex) = {"timex", true, "State of the kernel's clock", nullptr,
                             &MakeCollector<Timex>};

}  // namespace millrace::node
