#include "exporters/node/attributes.h"
#include "exporters/node/filter.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// Columns 1 to 5 of slabinfo(5), version 2.1.
constexpr Metric kColumns[] = {
    {"node_slabinfo_active_objects", kGauge, "Objects in use."},
    {"node_slabinfo_objects", kGauge, "Objects allocated, in use or not."},
    {"node_slabinfo_object_size_bytes", kGauge, "Size of an object."},
    {"node_slabinfo_objects_per_slab", kGauge, "Objects a slab holds."},
    {"node_slabinfo_pages_per_slab", kGauge, "Pages a slab takes."},
};

class Slabinfo : public Collector {
 public:
  Slabinfo(const Context& context, NameFilter filter)
      : path_(context.paths.Proc("slabinfo")), filter_(std::move(filter)) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_ASSIGN(std::string_view rest, files_.Read(path_));
    std::string_view line;
    while (NextLine(rest, line)) {
      if (line.starts_with("slabinfo - version:") || line.starts_with('#')) continue;
      const Words<6> words(line);
      if (words.size() == 0) continue;
      if (words.size() != 16) return BadContent(path_, "line", line);
      if (filter_.Ignored(words[0])) continue;
      for (std::size_t i = 0; i < std::size(kColumns); ++i) {
        const auto value = ParseNumber<std::int64_t>(words[i + 1]);
        if (!value) return BadContent(path_, "number", words[i + 1]);
        Emit(out, kColumns[i], {{"slab", words[0]}}, static_cast<double>(*value));
      }
    }
    return {};
  }

 private:
  const std::string path_;
  NameFilter filter_;
  FileReader files_;
};

void Declare(FlagSet& flags) {
  flags.Text("collector.slabinfo.slabs-include", ".*", "Regexp of slabs to include.");
  flags.Text("collector.slabinfo.slabs-exclude", "", "Regexp of slabs to leave out.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  MILLRACE_ASSIGN(NameFilter filter,
                  NameFilter::Make(context.flags.GetText("collector.slabinfo.slabs-exclude"),
                                   context.flags.GetText("collector.slabinfo.slabs-include")));
  return std::make_unique<Slabinfo>(context, std::move(filter));
}

}  // namespace

MILLRACE_COLLECTOR(Slabinfo) = {"slabinfo", false, "Slab caches of the kernel", &Declare, &Make};

}  // namespace millrace::node
