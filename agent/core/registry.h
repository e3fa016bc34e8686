#pragma once
// How a `type:` of the configuration becomes an object. Each kind has one explicit table
// (sources/registry.cc, transforms/registry.cc, sinks/registry.cc): a linker cannot drop it and a
// reader can find it. To add a component: one file pair in its folder, one line in the table.
#include <memory>
#include <span>
#include <string_view>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

/// A component whose options were read and checked, not yet made.
template <class Interface>
class Plan {
 public:
  virtual ~Plan() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<Interface>> Make(const Context& context) const = 0;
  /// Names of the outputs beside the default one ("route.errors"), known from the options alone.
  [[nodiscard]] virtual std::vector<std::string> outputs() const { return {}; }
};

template <class Interface>
struct Entry {
  std::string_view type, summary;
  /// Reads the options (faults go to the visitor) or, with a describing visitor, lists them.
  std::unique_ptr<Plan<Interface>> (*read)(config::Visitor& visitor);
};

/// `Component<Sink, FileSinkConfig, &MakeFileSink>("file", "Writes files.")`, where
/// `void Visit(config::Visitor&, FileSinkConfig&)` and
/// `Result<std::unique_ptr<Sink>> MakeFileSink(const FileSinkConfig&, const Context&)`.
/// A config may have `std::vector<std::string> OutputNames() const`.
template <class Interface, class Config,
          Result<std::unique_ptr<Interface>> (*kMake)(const Config&, const Context&)>
constexpr Entry<Interface> Component(std::string_view type, std::string_view summary) {
  return {type, summary, [](config::Visitor& visitor) -> std::unique_ptr<Plan<Interface>> {
            struct Made final : Plan<Interface> {
              Config config;
              Result<std::unique_ptr<Interface>> Make(const Context& context) const override {
                return kMake(config, context);
              }
              std::vector<std::string> outputs() const override {
                if constexpr (requires { config.OutputNames(); }) return config.OutputNames();
                return {};
              }
            };
            auto plan = std::make_unique<Made>();
            Visit(visitor, plan->config);
            return plan;
          }};
}

[[nodiscard]] std::span<const Entry<Source>> Sources();
[[nodiscard]] std::span<const Entry<Transform>> Transforms();
[[nodiscard]] std::span<const Entry<Sink>> Sinks();

}  // namespace millrace::agent
