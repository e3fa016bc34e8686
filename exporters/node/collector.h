#pragma once
// What a collector is. To add one: a file in collectors/ that defines its CollectorEntry, and its
// name in registry.cc.
#include <memory>
#include <string_view>

#include "common/base/result.h"
#include "common/exposition/writer.h"
#include "common/flags/flags.h"
#include "exporters/node/paths.h"

namespace millrace::node {

using exposition::Label;
using exposition::Metric;
using exposition::MetricType;
using exposition::MetricWriter;
using exposition::Point;
inline constexpr MetricType kCounter = MetricType::kCounter;
inline constexpr MetricType kGauge = MetricType::kGauge;
inline constexpr MetricType kUntyped = MetricType::kUntyped;

/// One subject of metrics (loadavg, diskstats ...). Made once, used for every scrape, never by two
/// threads at once: it may keep buffers, descriptors and what it learnt.
class Collector {
 public:
  virtual ~Collector() = default;
  /// What was written before an error is served. kNotFound = this host has none of it: success 0
  /// and a debug line; other codes are logged as errors.
  virtual Status Collect(MetricWriter& out) = 0;
};

/// What a collector is made from. Copies what it keeps.
struct Context {
  const FlagSet& flags;
  HostPaths paths;
};

struct CollectorEntry {
  std::string_view name;  ///< --collector.<name> / --no-collector.<name>
  bool enabled_by_default;
  std::string_view summary;         ///< One line for --help and the docs.
  void (*declare)(FlagSet& flags);  ///< Its own flags, or nullptr.
  Result<std::unique_ptr<Collector>> (*make)(const Context& context);
};

/// MILLRACE_COLLECTOR(Loadavg) = {"loadavg", ...}; defines the entry that registry.cc looks for.
#define MILLRACE_COLLECTOR(name)                  \
  extern const CollectorEntry k##name##Collector; \
  const CollectorEntry k##name##Collector

/// For collectors whose constructor takes the context and cannot fail.
template <class T>
Result<std::unique_ptr<Collector>> MakeCollector(const Context& context) {
  return std::make_unique<T>(context);
}

[[nodiscard]] inline tl::unexpected<Error> NoData(std::string why) {
  return Fail(ErrorCode::kNotFound, std::move(why));
}

}  // namespace millrace::node
