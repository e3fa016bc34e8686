#pragma once
// Error reports to servers that speak Sentry's envelope protocol: Sentry, GlitchTip, Bugsink.
// Link target: millrace::app_metrics_sentry.
//   metrics.set_error_reporter(millrace::app_metrics::MakeSentryReporter({}));   // SENTRY_DSN
#include <chrono>
#include <cstddef>
#include <map>
#include <memory>
#include <string>

#include "millrace/app_metrics/errors.h"

namespace millrace::app_metrics {

enum class EnvelopeCompression : unsigned char { kNone, kGzip, kZstd };

struct SentryOptions {
  /// "https://key@host/project". "" = environment variable SENTRY_DSN; when that is empty too,
  /// nothing is reported.
  std::string dsn{};
  /// "" = APP_ENV, else "production".
  std::string environment{};
  /// "" = APP_VERSION, else no release.
  std::string release{};
  /// "" = the host's name.
  std::string server_name{};
  std::map<std::string, std::string> tags{};
  /// Part of the reports that is sent, 0..1, decided before anything is collected. Fatal ones
  /// always go.
  double sample_rate = 1.0;
  double slow_request_sample_rate = 1.0;
  /// Client addresses are personal data: off unless wanted.
  bool send_client_ip = false;
  /// Reports in memory; one that finds no room is dropped and counted.
  std::size_t queue = 200;
  /// Where reports wait while the server can't be reached, and where a crash is written to be sent
  /// at the next start. "" = neither. One process a folder at a time.
  std::string spool_dir{};
  std::size_t spool_bytes = std::size_t{16} << 20;
  std::size_t spool_files = 200;
  EnvelopeCompression compression = EnvelopeCompression::kGzip;
  std::chrono::milliseconds timeout{10'000};
  /// How long the destructor may send.
  std::chrono::milliseconds shutdown_limit{2000};
  /// Handlers for SIGSEGV, SIGABRT, SIGBUS, SIGFPE and SIGILL (needs spool_dir) and for
  /// std::terminate. The handlers of before are called afterwards.
  bool handle_crashes = false;
  /// File of CA certificates; "" = the system's.
  std::string ca_file{};
};

/// nullptr when there is no DSN. What is wrong with the options goes to `problem` (or to standard
/// error when that is null), and the reporter then does without, or is nullptr.
[[nodiscard]] std::shared_ptr<ErrorReporter> MakeSentryReporter(SentryOptions options,
                                                                std::string* problem = nullptr);

}  // namespace millrace::app_metrics
