#pragma once
// One report, from what a thread noted to the bytes of an envelope:
// https://develop.sentry.dev/sdk/data-model/envelopes/ and .../event-payloads/
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "exporters/app_metrics/src/sentry/stack.h"

namespace millrace::app_metrics::sentry {

struct Crumb {
  std::string category, text;
  double unix_seconds = 0;
};

struct Event {
  std::string id;  ///< 32 hex digits
  double unix_seconds = 0;
  std::string level = "error";
  std::string message;                          ///< Or:
  std::string exception_type, exception_value;  ///< when the type is not empty.
  std::string mechanism = "generic";
  bool handled = false;
  std::string transaction;               ///< "GET /users/:id"
  std::vector<std::uint64_t> addresses;  ///< Of this process, innermost first.
  std::vector<Frame> frames;             ///< Or frames that are known already.
  std::string method, url, user_id, client_ip, request_id, trace_id, span_id;
  std::map<std::string, std::string> extra;
  std::vector<Crumb> crumbs;
};

/// What is the same in all reports of a process.
struct EventDefaults {
  std::string dsn, environment, release, server_name;
  std::map<std::string, std::string> tags;
};

[[nodiscard]] std::string NewEventId();
/// The whole envelope, uncompressed. Looks symbols up.
[[nodiscard]] std::string ToEnvelope(const Event& event, const EventDefaults& defaults);

}  // namespace millrace::app_metrics::sentry
