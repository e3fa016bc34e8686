#include "exporters/app_metrics/src/redact.h"

#include <algorithm>
#include <cstring>

#include "common/base/strings.h"

namespace millrace::app_metrics {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

Redactor::Redactor(const std::vector<std::string>& words) {
  for (const std::string& w : words)
    if (!w.empty()) words_.push_back(ToLower(w));
}

bool Redactor::IsSecret(std::string_view name) const {
  // Lower case, percent-decoded; a name longer than this is nobody's parameter and is hidden.
  char text[96];
  std::size_t n = 0;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (n == sizeof text) return true;
    char c = name[i];
    if (c == '%' && i + 2 < name.size() && HexDigit(name[i + 1]) >= 0 &&
        HexDigit(name[i + 2]) >= 0) {
      c = static_cast<char>(HexDigit(name[i + 1]) * 16 + HexDigit(name[i + 2]));
      i += 2;
    }
    text[n++] = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  }
  const std::string_view lower(text, n);
  return std::any_of(words_.begin(), words_.end(),
                     [&](const std::string& w) { return lower.find(w) != std::string_view::npos; });
}

std::size_t Redactor::Apply(std::string_view target, char* out, std::size_t room) const {
  std::size_t n = 0;
  const auto put = [&](std::string_view s) {
    s = s.substr(0, room - n);
    std::memcpy(out + n, s.data(), s.size());
    n += s.size();
  };
  const auto query = target.find('?');
  if (query == std::string_view::npos || words_.empty()) {
    put(target);
    return n;
  }
  put(target.substr(0, query + 1));
  std::string_view rest = target.substr(query + 1);
  while (!rest.empty() && n < room) {
    const std::size_t end = std::min(rest.find_first_of("&;"), rest.size());
    const std::string_view pair = rest.substr(0, end);
    const auto equals = pair.find('=');
    if (equals != std::string_view::npos && equals + 1 < pair.size() &&
        IsSecret(pair.substr(0, equals))) {
      put(pair.substr(0, equals + 1));
      put("***");
    } else {
      put(pair);
    }
    if (end < rest.size()) put(rest.substr(end, 1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return n;
}

}  // namespace millrace::app_metrics
