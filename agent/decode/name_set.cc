#include "agent/decode/name_set.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace millrace::agent {

std::size_t NameSet::InTable(std::string_view name, const std::vector<Field>& fields) {
  if (table_.size() < fields.size() * 2) {
    table_.assign(std::max<std::size_t>(512, fields.size() * 4), 0);
    for (std::size_t i = 0; i < fields.size(); ++i)
      table_[Slot(fields[i].name(), fields)] = static_cast<std::uint32_t>(i) + 1;
  }
  const std::size_t slot = Slot(name, fields);
  if (table_[slot] != 0) return table_[slot] - 1;
  table_[slot] = static_cast<std::uint32_t>(fields.size()) + 1;
  return kNone;
}

std::size_t NameSet::Slot(std::string_view name, const std::vector<Field>& fields) const {
  std::size_t slot = XXH3_64bits(name.data(), name.size()) % table_.size();
  while (table_[slot] != 0 && fields[table_[slot] - 1].name() != name)
    slot = slot + 1 == table_.size() ? 0 : slot + 1;
  return slot;
}

}  // namespace millrace::agent
