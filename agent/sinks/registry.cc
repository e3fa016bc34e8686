// Every sink the configuration can name.
#include "agent/core/registry.h"

#include <array>

#include "agent/sinks/blackhole/blackhole.h"
#include "agent/sinks/console/console.h"
#include "agent/sinks/elasticsearch/elasticsearch_sink.h"
#include "agent/sinks/file/file_sink.h"
#include "agent/sinks/kafka/kafka_sink.h"
#include "agent/sinks/summary/summary.h"

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array kSinks = {
    Component<Sink, KafkaSinkConfig, &MakeKafkaSink>("kafka", "Produces to a topic that may depend on fields."),
    Component<Sink, SummaryConfig, &MakeSummary>("summary", "A live picture of the agent in the terminal."),
    Component<Sink, BlackholeConfig, &MakeBlackhole>("blackhole", "Takes everything and writes nothing."),
    Component<Sink, ConsoleConfig, &MakeConsole>("console", "Writes events to standard output or standard error."),
    Component<Sink, FileSinkConfig, &MakeFileSink>("file", "Writes events to files, by field and time, compressed and rotated."),
    Component<Sink, ElasticsearchConfig, &MakeElasticsearchSink>("elasticsearch", "Writes events to Elasticsearch and OpenSearch."),
};
// clang-format on
}  // namespace

std::span<const Entry<Sink>> Sinks() { return kSinks; }

}  // namespace millrace::agent
