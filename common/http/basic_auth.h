#pragma once
// Passwords against bcrypt hashes, with a memory of past answers so that a scrape does not cost a
// bcrypt. Knows nothing of HTTP but the Authorization field.
#include <array>
#include <condition_variable>
#include <cstddef>
#include <list>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::http {

struct Credentials {
  std::string user, password;
};
/// The field "Basic base64(user:password)"; nothing if it is something else.
[[nodiscard]] std::optional<Credentials> ParseBasicAuth(std::string_view field);

/// What is wrong with a bcrypt hash ("$2y$10$..."), or "".
[[nodiscard]] std::string CheckBcryptHash(std::string_view hash);
/// One bcrypt, some 50 ms at cost 10. A password with a NUL never matches.
[[nodiscard]] bool BcryptMatches(const std::string& hash, const std::string& password);

enum class AuthResult : unsigned char { kYes, kNo, kBusy };

/// Thread safe. One bcrypt at a time, as it is the most expensive thing a stranger can ask for; at
/// most `kWaiting` callers wait for it, others are told kBusy.
class PasswordChecker {
 public:
  /// An unknown user costs as much as a known one.
  [[nodiscard]] AuthResult Check(const std::map<std::string, std::string>& users,
                                 const Credentials& given);
  static constexpr std::size_t kRemembered = 100;
  static constexpr std::size_t kWaiting = 16;

 private:
  /// SHA-256 of user, hash and password: no password stays in memory.
  using Key = std::array<unsigned char, 32>;
  std::mutex mu_;
  std::condition_variable idle_;
  std::map<Key, bool> known_;
  std::list<Key> order_;  ///< Oldest first.
  std::size_t waiting_ = 0;
  bool running_ = false;
};

}  // namespace millrace::http
