#pragma once
// The agent's own HTTP endpoints: /metrics, /-/healthy, /-/ready and a landing page.
#include <memory>

#include "agent/config/agent_config.h"
#include "agent/topology/topology.h"

namespace millrace::agent {

class WebEndpoints {
 public:
  WebEndpoints(MetricsRegistry& metrics, Topology& topology);
  ~WebEndpoints();
  [[nodiscard]] Status Start(const WebConfig& config);
  void Stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::agent
