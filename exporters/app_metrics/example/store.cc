#include "exporters/app_metrics/example/store.h"

#include <array>
#include <cstdint>
#include <memory>
#include <random>

#include <crypt.h>
#include <hiredis/hiredis.h>
#include <libpq-fe.h>

namespace example {
namespace {

using Connection = std::unique_ptr<PGconn, decltype(&::PQfinish)>;
using Answer = std::unique_ptr<PGresult, decltype(&::PQclear)>;
using RedisConnection = std::unique_ptr<redisContext, decltype(&::redisFree)>;

std::string RandomToken() {
  constexpr char kHex[] = "0123456789abcdef";
  std::random_device source;
  std::string token;
  for (int i = 0; i < 32; ++i) token += kHex[source() & 15U];
  return token;
}

std::string Hashed(const std::string& password, const std::string& setting) {
  crypt_data data{};
  const char* hash = ::crypt_r(password.c_str(), setting.c_str(), &data);
  return hash == nullptr ? std::string() : hash;
}

// The fewest rounds there are: the example is there to be put under load.
std::string NewHash(const std::string& password) {
  return Hashed(password, "$5$rounds=1000$" + RandomToken().substr(0, 16));
}

}  // namespace

struct Store::Rows {
  Answer answer{nullptr, &::PQclear};
  [[nodiscard]] int count() const { return ::PQntuples(answer.get()); }
  [[nodiscard]] int changed() const { return std::atoi(::PQcmdTuples(answer.get())); }
  [[nodiscard]] std::string At(int row, int column) const {
    return ::PQgetvalue(answer.get(), row, column);
  }
};

std::optional<Store::Rows> Store::Query(const char* operation, const char* sql,
                                        std::vector<std::string> parameters) {
  auto timer = metrics_.db(operation);
  metrics_.breadcrumb("db", operation);
  thread_local Connection connection(nullptr, &::PQfinish);
  if (!connection || ::PQstatus(connection.get()) != CONNECTION_OK)
    connection.reset(::PQconnectdb(options_.postgres.c_str()));
  if (::PQstatus(connection.get()) != CONNECTION_OK) {
    timer.fail("connection");
    return std::nullopt;
  }
  std::vector<const char*> values;
  for (const std::string& p : parameters) values.push_back(p.c_str());
  Rows rows;
  rows.answer.reset(::PQexecParams(connection.get(), sql, static_cast<int>(values.size()), nullptr,
                                   values.data(), nullptr, nullptr, 0));
  const ExecStatusType status = ::PQresultStatus(rows.answer.get());
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return rows;
  timer.fail(::PQstatus(connection.get()) == CONNECTION_OK ? "query" : "connection");
  return std::nullopt;
}

std::optional<std::string> Store::Redis(const char* operation, std::vector<std::string> words) {
  auto timer = metrics_.redis(operation);
  thread_local RedisConnection connection(nullptr, &::redisFree);
  if (!connection || connection->err != 0) {
    const timeval limit{1, 0};
    connection.reset(
        ::redisConnectWithTimeout(options_.redis_host.c_str(), options_.redis_port, limit));
    if (connection && connection->err == 0) ::redisSetTimeout(connection.get(), limit);
  }
  if (!connection || connection->err != 0) {
    timer.fail("connection");
    return std::nullopt;
  }
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const std::string& w : words) {
    texts.push_back(w.data());
    sizes.push_back(w.size());
  }
  struct Free {
    void operator()(redisReply* r) const { ::freeReplyObject(r); }
  };
  const std::unique_ptr<redisReply, Free> reply(static_cast<redisReply*>(::redisCommandArgv(
      connection.get(), static_cast<int>(texts.size()), texts.data(), sizes.data())));
  if (!reply || reply->type == REDIS_REPLY_ERROR) {
    timer.fail(reply ? "command" : "connection");
    return std::nullopt;
  }
  return reply->str == nullptr ? std::string() : std::string(reply->str, reply->len);
}

bool Store::Prepare() {
  return Query(
             "create_tables",
             "CREATE TABLE IF NOT EXISTS users (id serial PRIMARY KEY, name text UNIQUE NOT NULL, "
             "password text NOT NULL)",
             {}) &&
         Query("create_tables",
               "CREATE TABLE IF NOT EXISTS messages (id serial PRIMARY KEY, sender int NOT NULL, "
               "receiver int NOT NULL, body text NOT NULL, sent timestamptz DEFAULT now())",
               {});
}

Outcome Store::Register(const std::string& name, const std::string& password) {
  const auto rows = Query(
      "insert_user", "INSERT INTO users (name, password) VALUES ($1, $2) ON CONFLICT DO NOTHING",
      {name, NewHash(password)});
  return !rows ? Outcome::kFailed : rows->changed() == 1 ? Outcome::kOk : Outcome::kNo;
}

Outcome Store::LogIn(const std::string& name, const std::string& password, std::string& session) {
  const auto rows = Query("select_user", "SELECT id, password FROM users WHERE name = $1", {name});
  if (!rows) return Outcome::kFailed;
  if (rows->count() == 0 || Hashed(password, rows->At(0, 1)) != rows->At(0, 1)) return Outcome::kNo;
  session = RandomToken();
  return Redis("set_session", {"SET", "session:" + session, rows->At(0, 0), "EX", "3600"})
             ? Outcome::kOk
             : Outcome::kFailed;
}

Outcome Store::UserOf(const std::string& session, std::string& user_id) {
  const auto id = Redis("get_session", {"GET", "session:" + session});
  if (!id) return Outcome::kFailed;
  user_id = *id;
  return user_id.empty() ? Outcome::kNo : Outcome::kOk;
}

Outcome Store::Send(const std::string& from_id, const std::string& to_name,
                    const std::string& text) {
  const auto rows =
      Query("insert_message",
            "INSERT INTO messages (sender, receiver, body) SELECT $1::int, id, $3 FROM "
            "users WHERE name = $2",
            {from_id, to_name, text});
  return !rows ? Outcome::kFailed : rows->changed() == 1 ? Outcome::kOk : Outcome::kNo;
}

Outcome Store::Inbox(const std::string& user_id, std::vector<std::string>& messages) {
  const auto rows = Query(
      "select_messages",
      "SELECT body FROM messages WHERE receiver = $1::int ORDER BY id DESC LIMIT 20", {user_id});
  if (!rows) return Outcome::kFailed;
  for (int i = 0; i < rows->count(); ++i) messages.push_back(rows->At(i, 0));
  return Outcome::kOk;
}

}  // namespace example
