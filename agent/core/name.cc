#include "agent/core/name.h"

#include <mutex>
#include <set>
#include <string>

namespace millrace::agent {

std::string_view InternName(std::string_view name) {
  static std::mutex mu;
  static auto* const table =
      new std::set<std::string, std::less<>>();  // never destroyed: views outlive main
  const std::lock_guard lock(mu);
  auto it = table->find(name);
  if (it == table->end()) it = table->emplace(name).first;
  return *it;
}

}  // namespace millrace::agent
