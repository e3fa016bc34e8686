#pragma once
// Which names a decoder has seen.
#include <cstdint>
#include <string_view>
#include <vector>

#include "agent/core/event.h"

namespace millrace::agent {

/// Says whether a name is among the fields so far: one bit test for nearly every key of a small
/// object, a hash table beyond that, so that 100,000 keys cost no more each.
class NameSet {
 public:
  static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

  NameSet() { bits_[0] = bits_[1] = bits_[2] = bits_[3] = 0; }

  /// Index of the field of that name, or kNone after noting that the next field has it.
  std::size_t FindOrNote(std::string_view name, const std::vector<Field>& fields) {
    if (fields.size() >= kSmall) return InTable(name, fields);
    const std::size_t n = name.size();
    const unsigned mix =
        n == 0 ? 0
               : (static_cast<unsigned char>(name[0]) * 7U +
                  static_cast<unsigned char>(name[n / 2]) * 31U +
                  static_cast<unsigned char>(name[n - 1]) * 131U + static_cast<unsigned>(n) * 17U);
    std::uint64_t& word = bits_[mix >> 6 & 3];
    const std::uint64_t bit = 1ULL << (mix & 63);
    if ((word & bit) != 0) {
      for (std::size_t i = 0; i < fields.size(); ++i)
        if (fields[i].name() == name) return i;
    }
    word |= bit;
    return kNone;
  }

 private:
  static constexpr std::size_t kSmall = 64;

  std::size_t InTable(std::string_view name, const std::vector<Field>& fields);
  [[nodiscard]] std::size_t Slot(std::string_view name, const std::vector<Field>& fields) const;

  std::uint64_t bits_[4];
  std::vector<std::uint32_t> table_;  ///< Index of the field + 1; empty until there are many.
};

}  // namespace millrace::agent
