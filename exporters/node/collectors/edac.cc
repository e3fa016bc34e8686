#include <optional>
#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr Metric kCe = {"node_edac_correctable_errors_total", kCounter,
                        "Memory errors that were corrected."};
constexpr Metric kUe = {"node_edac_uncorrectable_errors_total", kCounter,
                        "Memory errors that could not be corrected."};
constexpr Metric kRowCe = {"node_edac_csrow_correctable_errors_total", kCounter,
                           "Memory errors of a csrow that were corrected."};
constexpr Metric kRowUe = {"node_edac_csrow_uncorrectable_errors_total", kCounter,
                           "Memory errors of a csrow that could not be corrected."};
constexpr Metric kChannelCe = {"node_edac_channel_correctable_errors_total", kCounter,
                               "Memory errors of a channel that were corrected."};
constexpr Metric kChannelUe = {"node_edac_channel_uncorrectable_errors_total", kCounter,
                               "Memory errors of a channel that could not be corrected."};

// The number behind `prefix`, such as 0 of mc0; nothing when the name has another form.
std::optional<std::string_view> NumberBehind(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  const auto digits = std::min(name.find_first_not_of("0123456789"), name.size());
  if (digits == 0) return std::nullopt;
  return name.substr(0, digits);
}

void ReplaceAll(std::string& text, std::string_view from, std::string_view to) {
  for (auto at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size()))
    text.replace(at, from.size(), to);
}

class Edac : public Collector {
 public:
  explicit Edac(const Context& context) : root_(context.paths.Sys("devices/system/edac/mc")) {}

  Status Collect(MetricWriter& out) override {
    if (!controllers_.Read(root_)) return {};
    for (const std::string_view name : controllers_) {
      const auto controller = NumberBehind(name, "mc");
      if (!controller) continue;
      controller_.assign(JoinPath(path_, {root_, name}));
      MILLRACE_TRY(Counter(out, kCe, controller_, "ce_count", {{"controller", *controller}}));
      MILLRACE_TRY(Counter(out, kRowCe, controller_, "ce_noinfo_count",
                           {{"controller", *controller}, {"csrow", "unknown"}}));
      MILLRACE_TRY(Counter(out, kUe, controller_, "ue_count", {{"controller", *controller}}));
      MILLRACE_TRY(Counter(out, kRowUe, controller_, "ue_noinfo_count",
                           {{"controller", *controller}, {"csrow", "unknown"}}));
      MILLRACE_TRY(Rows(out, *controller));
    }
    return {};
  }

 private:
  Status Counter(MetricWriter& out, const Metric& metric, std::string_view dir,
                 std::string_view file, std::initializer_list<Label> labels) {
    const auto value = files_.TryUnsigned(JoinPath(path_, {dir, file}));
    if (!value) return BadContent(path_, "or missing number", "");
    out.Family(metric);
    out.Sample(labels, static_cast<double>(*value));
    return {};
  }

  Status Rows(MetricWriter& out, std::string_view controller) {
    MILLRACE_TRY(rows_.Read(controller_));
    for (const std::string_view name : rows_) {
      const auto row = NumberBehind(name, "csrow");
      if (!row) continue;
      row_.assign(JoinPath(path_, {controller_, name}));
      MILLRACE_TRY(
          Counter(out, kRowCe, row_, "ce_count", {{"controller", controller}, {"csrow", *row}}));
      MILLRACE_TRY(
          Counter(out, kRowUe, row_, "ue_count", {{"controller", controller}, {"csrow", *row}}));
      MILLRACE_TRY(Channels(out, controller, *row));
    }
    return {};
  }

  Status Channels(MetricWriter& out, std::string_view controller, std::string_view row) {
    MILLRACE_TRY(channels_.Read(row_));
    for (const std::string_view name : channels_) {
      const auto channel = NumberBehind(name, "ch");
      if (!channel || !name.ends_with("_ce_count")) continue;
      DimmLabel(*channel);
      const auto labels = {Label{"channel", *channel}, Label{"controller", controller},
                           Label{"csrow", row}, Label{"dimm_label", dimm_}};
      MILLRACE_TRY(Counter(out, kChannelCe, row_, name, labels));
      file_.assign("ch").append(*channel).append("_ue_count");
      if (const auto value = files_.TryUnsigned(JoinPath(path_, {row_, file_}))) {
        out.Family(kChannelUe);
        out.Sample(labels, static_cast<double>(*value));
      }
    }
    return {};
  }

  // "CPU_SrcID#0_MC#0_Chan#0" is shown without '#'; csrow0channel1 as _csrow0_channel1.
  void DimmLabel(std::string_view channel) {
    file_.assign("ch").append(channel).append("_dimm_label");
    const auto text = files_.Try(JoinPath(path_, {row_, file_}));
    dimm_.assign(text.value_or("unknown"));
    if (!text) return;
    ReplaceAll(dimm_, "#", "");
    ReplaceAll(dimm_, "csrow", "_csrow");
    ReplaceAll(dimm_, "channel", "_channel");
  }

  const std::string root_;
  FileReader files_;
  DirList controllers_, rows_, channels_;
  std::string path_, controller_, row_, file_, dimm_;
};

}  // namespace

MILLRACE_COLLECTOR(Edac) = {"edac", true, "Memory errors (EDAC)", nullptr, &MakeCollector<Edac>};

}  // namespace millrace::node
