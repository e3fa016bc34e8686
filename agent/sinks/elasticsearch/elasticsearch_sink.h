#pragma once
// Writes events to Elasticsearch and OpenSearch by `_bulk`.
#include <memory>

#include "agent/core/component.h"
#include "agent/sinks/elasticsearch/config.h"

namespace millrace::agent {

[[nodiscard]] Result<std::unique_ptr<Sink>> MakeElasticsearchSink(const ElasticsearchConfig& config,
                                                                  const Context& context);

}  // namespace millrace::agent
