// Every source the configuration can name.
#include "agent/core/registry.h"

#include <array>

#include "agent/sources/file/config.h"
#include "agent/sources/generator/generator.h"
#include "agent/sources/internal_metrics/internal_metrics.h"
#include "agent/sources/kafka/kafka_source.h"
#include "agent/sources/stdin/stdin_source.h"

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array kSources = {
    Component<Source, FileConfig, &MakeFileSource>("file", "Tails log files, through rotation, truncation and compression."),
    Component<Source, GeneratorConfig, &MakeGenerator>("generator", "Realistic log lines out of nothing, for demonstrations, tests and benchmarks."),
    Component<Source, InternalMetricsConfig, &MakeInternalMetrics>("internal_metrics", "The agent's own metrics as events."),
    Component<Source, KafkaSourceConfig, &MakeKafkaSource>("kafka", "Reads topics as a member of a consumer group."),
    Component<Source, StdinConfig, &MakeStdinSource>("stdin", "Lines of standard input."),
};
// clang-format on
}  // namespace

std::span<const Entry<Source>> Sources() { return kSources; }

}  // namespace millrace::agent
