#pragma once
// Users and messages in PostgreSQL, sessions in Redis. Each thread has its own connections.
#include <optional>
#include <string>
#include <vector>

#include "millrace/app_metrics/app_metrics.h"

namespace example {

struct StoreOptions {
  std::string postgres = "host=127.0.0.1 port=5432 user=postgres dbname=postgres connect_timeout=2";
  std::string redis_host = "127.0.0.1";
  int redis_port = 6379;
};

enum class Outcome { kOk, kNo, kFailed };

/// Thread safe. kFailed: a server is away; kNo: it answered, and the answer is no.
class Store {
 public:
  Store(StoreOptions options, millrace::AppMetrics& metrics)
      : options_(std::move(options)), metrics_(metrics) {}
  /// Makes the tables.
  [[nodiscard]] bool Prepare();
  [[nodiscard]] Outcome Register(const std::string& name, const std::string& password);
  /// `session`: for the Authorization header.
  [[nodiscard]] Outcome LogIn(const std::string& name, const std::string& password,
                              std::string& session);
  [[nodiscard]] Outcome UserOf(const std::string& session, std::string& user_id);
  [[nodiscard]] Outcome Send(const std::string& from_id, const std::string& to_name,
                             const std::string& text);
  [[nodiscard]] Outcome Inbox(const std::string& user_id, std::vector<std::string>& messages);

 private:
  struct Rows;
  [[nodiscard]] std::optional<Rows> Query(const char* operation, const char* sql,
                                          std::vector<std::string> parameters);
  [[nodiscard]] std::optional<std::string> Redis(const char* operation,
                                                 std::vector<std::string> words);
  const StoreOptions options_;
  millrace::AppMetrics& metrics_;
};

}  // namespace example
