#include "exporters/uptime_probe/http/headers.h"

#include <algorithm>
#include <cctype>
#include <cstdint>
#include <ctime>

#include "common/base/strings.h"

namespace millrace::uptime_probe::web {

void Headers::Set(std::string_view name, std::string_view value) {
  Remove(name);
  Add(name, value);
}

void Headers::Remove(std::string_view name) {
  std::erase_if(list_, [name](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

std::string_view Headers::Get(std::string_view name) const {
  for (const auto& [key, value] : list_)
    if (EqualsIgnoreCase(key, name)) return value;
  return {};
}

bool Headers::Has(std::string_view name) const {
  return std::any_of(list_.begin(), list_.end(),
                     [name](const auto& field) { return EqualsIgnoreCase(field.first, name); });
}

std::vector<std::string_view> Headers::All(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const auto& [key, value] : list_)
    if (EqualsIgnoreCase(key, name)) out.emplace_back(value);
  return out;
}

bool IsToken(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 &&
        std::string_view("!#$%&'*+-.^_`|~").find(c) == std::string_view::npos)
      return false;
  return true;
}

bool ParseHttpDate(std::string_view text, std::int64_t& seconds) {
  // RFC 9110 5.6.7: IMF-fixdate, RFC 850, asctime.
  static constexpr const char* kForms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                           "%a %b %e %H:%M:%S %Y"};
  const std::string copy(text);
  for (const char* form : kForms) {
    std::tm tm{};
    const char* end = ::strptime(copy.c_str(), form, &tm);
    if (end == nullptr || *end != '\0') continue;
    seconds = ::timegm(&tm);
    return true;
  }
  return false;
}

}  // namespace millrace::uptime_probe::web
