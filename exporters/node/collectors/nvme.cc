#include <array>
#include <string>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

// nvme0c1n2 and nvme0n2 are namespace 2 of nvme0.
std::optional<std::string_view> NamespaceId(std::string_view name) {
  const auto skip_digits = [&] {
    const auto n = std::min(name.find_first_not_of("0123456789"), name.size());
    name.remove_prefix(n);
    return n > 0;
  };
  if (!name.starts_with("nvme")) return std::nullopt;
  name.remove_prefix(4);
  if (!skip_digits()) return std::nullopt;
  if (name.starts_with('c')) {
    name.remove_prefix(1);
    if (!skip_digits()) return std::nullopt;
  }
  if (!name.starts_with('n')) return std::nullopt;
  name.remove_prefix(1);
  const std::string_view id = name;
  if (!skip_digits() || !name.empty()) return std::nullopt;
  return id;
}

class Nvme : public Collector {
 public:
  explicit Nvme(const Context& context) : root_(context.paths.Sys("class/nvme")) {}

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(devices_.Read(root_));
    for (const std::string_view device : devices_) {
      MILLRACE_TRY(Device(out, device));
      MILLRACE_TRY(Namespaces(out, device));
    }
    return {};
  }

 private:
  Status Device(MetricWriter& out, std::string_view device) {
    static constexpr std::array<std::string_view, 5> kFiles = {"cntlid", "firmware_rev", "model",
                                                               "serial", "state"};
    std::array<std::string, kFiles.size()> values;
    for (std::size_t i = 0; i < kFiles.size(); ++i) {
      MILLRACE_ASSIGN(const std::string_view text,
                      files_.Read(JoinPath(path_, {root_, device, kFiles[i]})));
      values[i] = Trim(text);
    }
    out.Family("node_nvme_info", kGauge, "Always 1; what an NVMe device is.");
    out.Sample({{"cntlid", values[0]},
                {"device", device},
                {"firmware_revision", values[1]},
                {"model", values[2]},
                {"serial", values[3]},
                {"state", values[4]}},
               1);
    return {};
  }

  Status Namespaces(MetricWriter& out, std::string_view device) {
    MILLRACE_TRY(names_.Read(JoinPath(path_, {root_, device})));
    for (const std::string_view name : names_) {
      const auto id = NamespaceId(name);
      if (!id) continue;
      dir_.assign(JoinPath(path_, {root_, device, name}));
      MILLRACE_ASSIGN(const double used, Number("nuse"));
      MILLRACE_ASSIGN(const double size, Number("size"));
      MILLRACE_ASSIGN(const double block, Number("queue/logical_block_size"));
      const auto state = files_.Try(JoinPath(path_, {dir_, "ana_state"}));
      out.Family("node_nvme_namespace_info", kGauge, "Always 1; the state of an NVMe namespace.");
      out.Sample({{"ana_state", state.value_or("unknown")}, {"device", device}, {"nsid", *id}}, 1);
      const auto put = [&](std::string_view family, std::string_view help, double value) {
        out.Family(family, kGauge, help);
        out.Sample({{"device", device}, {"nsid", *id}}, value);
      };
      put("node_nvme_namespace_capacity_bytes", "Capacity of an NVMe namespace.", size * block);
      put("node_nvme_namespace_size_bytes", "Size of an NVMe namespace.", size * block);
      put("node_nvme_namespace_used_bytes", "Used space of an NVMe namespace.", used * block);
      put("node_nvme_namespace_logical_block_size_bytes", "Block size of an NVMe namespace.",
          block);
    }
    return {};
  }

  // What is not a number counts as 0.
  Result<double> Number(std::string_view file) {
    MILLRACE_ASSIGN(const std::string_view text, files_.Read(JoinPath(path_, {dir_, file})));
    return static_cast<double>(ParseNumber<std::uint64_t>(Trim(text)).value_or(0));
  }

  const std::string root_;
  FileReader files_;
  DirList devices_, names_;
  std::string path_, dir_;
};

}  // namespace

MILLRACE_COLLECTOR(Nvme) = {"nvme", true, "NVMe devices and namespaces", nullptr,
                            &MakeCollector<Nvme>};

}  // namespace millrace::node
