#include <optional>

#include "exporters/node/attributes.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Documentation/scsi/st.rst, "Sysfs and Statistics for Tape Devices"
constexpr NumberFile kFiles[] = {
    {"stats/in_flight", {"node_tape_io_now", kGauge, "Requests under way."}},
    {"stats/io_ns",
     {"node_tape_io_time_seconds_total", kCounter,
      "Time spent waiting for any request, movements of the tape included."},
     1e-9},
    {"stats/other_cnt",
     {"node_tape_io_others_total", kCounter, "Requests that neither read nor write."}},
    {"stats/read_byte_cnt", {"node_tape_read_bytes_total", kCounter, "Bytes read."}},
    {"stats/read_cnt", {"node_tape_reads_completed_total", kCounter, "Read requests."}},
    {"stats/read_ns",
     {"node_tape_read_time_seconds_total", kCounter, "Time spent waiting for reads."},
     1e-9},
    {"stats/resid_cnt",
     {"node_tape_residual_total", kCounter, "Requests whose size was not that of a block."}},
    {"stats/write_byte_cnt", {"node_tape_written_bytes_total", kCounter, "Bytes written."}},
    {"stats/write_cnt", {"node_tape_writes_completed_total", kCounter, "Write requests."}},
    {"stats/write_ns",
     {"node_tape_write_time_seconds_total", kCounter, "Time spent waiting for writes."},
     1e-9},
};

/// "st0", not the modes and no-rewind devices of the same drive ("nst0", "st0l").
bool IsDrive(std::string_view name) {
  return name.size() > 2 && name.starts_with("st") &&
         name.find_first_not_of("0123456789", 2) == std::string_view::npos;
}

class Tapestats : public Collector {
 public:
  Tapestats(const Context& context, Pattern ignored)
      : class_(context.paths.Sys("class/scsi_tape")), ignored_(std::move(ignored)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(names_.Read(class_));
    for (const std::string_view name : names_) {
      if (!IsDrive(name) || ignored_.Matches(name)) continue;
      directory_.assign(class_).append("/").append(name);
      MILLRACE_TRY(EmitNumberFiles(files_, path_, directory_, kFiles, {{"device", name}}, out));
    }
    return {};
  }

 private:
  const std::string class_;
  const Pattern ignored_;
  FileReader files_;
  DirList names_;
  std::string path_, directory_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.tapestats.ignored-devices", "^$", "Regexp of devices to leave out.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(Pattern ignored,
                  Pattern::Make(context.flags.GetText("collector.tapestats.ignored-devices")));
  return std::make_unique<Tapestats>(context, std::move(ignored));
}

}  // namespace

MILLRACE_COLLECTOR(Tapestats) = {"tapestats", true, "Tape drives", &Declare, &Make};

}  // namespace millrace::node
