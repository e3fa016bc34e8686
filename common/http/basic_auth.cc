#include "common/http/basic_auth.h"

#include <cstring>
#include <memory>

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "common/base/strings.h"

namespace millrace::http {

std::optional<Credentials> ParseBasicAuth(std::string_view field) {
  const auto space = field.find(' ');
  if (space == std::string_view::npos || !EqualsIgnoreCase(field.substr(0, space), "basic"))
    return std::nullopt;
  const auto text = Base64Decode(Trim(field.substr(space + 1)));
  if (!text) return std::nullopt;
  const auto colon = text->find(':');
  if (colon == std::string::npos) return std::nullopt;
  return Credentials{text->substr(0, colon), text->substr(colon + 1)};
}

std::string CheckBcryptHash(std::string_view hash) {
  if (hash.size() < 59) return "too short to be a bcrypt hash";
  if (!hash.starts_with("$2") || (hash[2] != 'a' && hash[2] != 'b' && hash[2] != 'y') ||
      hash[3] != '$' || hash[6] != '$')
    return "not a bcrypt hash (one begins with $2a$, $2b$ or $2y$)";
  const auto cost = ParseNumber<unsigned>(hash.substr(4, 2));
  if (!cost || *cost < 4 || *cost > 31)
    return "bcrypt cost " + std::string(hash.substr(4, 2)) + " is not from 4 to 31";
  return {};
}

bool BcryptMatches(const std::string& hash, const std::string& password) {
  if (password.find('\0') != std::string::npos) return false;
  // 32 kB that only live while a password is checked.
  const auto data = std::make_unique<crypt_data>();
  const char* made = crypt_r(password.c_str(), hash.c_str(), data.get());
  return made != nullptr && std::strlen(made) == hash.size() &&
         CRYPTO_memcmp(made, hash.data(), hash.size()) == 0;
}

AuthResult PasswordChecker::Check(const std::map<std::string, std::string>& users,
                                  const Credentials& given) {
  // Nobody knows its password: it stands in for users that do not exist.
  static const std::string kNobody = "$2b$10$RWkLuhSDOGZ6rxj0jIw9LuT9BuyTXY4NWJp4XNRku0Ls97mz4BB8y";
  const auto user = users.find(given.user);
  const std::string& hash = user == users.end() ? kNobody : user->second;

  Key key;
  std::string text = std::to_string(given.user.size()) + ':' + given.user + hash + given.password;
  unsigned size = 0;
  EVP_Digest(text.data(), text.size(), key.data(), &size, EVP_sha256(), nullptr);
  OPENSSL_cleanse(text.data(), text.size());

  std::unique_lock lock(mu_);
  const auto known = [&]() -> std::optional<AuthResult> {
    const auto at = known_.find(key);
    if (at == known_.end()) return std::nullopt;
    return at->second ? AuthResult::kYes : AuthResult::kNo;
  };
  if (const auto answer = known()) return *answer;
  if (waiting_ >= kWaiting) return AuthResult::kBusy;
  ++waiting_;
  idle_.wait(lock, [&] { return !running_; });
  --waiting_;
  if (const auto answer = known()) {  // somebody asked the same meanwhile
    idle_.notify_one();
    return *answer;
  }
  running_ = true;
  lock.unlock();
  const bool matches = BcryptMatches(hash, given.password) && user != users.end();
  lock.lock();
  running_ = false;
  if (order_.size() >= kRemembered) {
    known_.erase(order_.front());
    order_.pop_front();
  }
  if (known_.emplace(key, matches).second) order_.push_back(key);
  idle_.notify_one();
  return matches ? AuthResult::kYes : AuthResult::kNo;
}

}  // namespace millrace::http
