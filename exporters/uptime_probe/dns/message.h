#pragma once
// DNS messages (RFC 1035): builds queries, reads answers, prints records as a zone file does.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::uptime_probe::dns {

inline constexpr std::uint16_t kTypeA = 1, kTypeCname = 5, kTypeSoa = 6, kTypeAaaa = 28,
                               kTypeAny = 255;
inline constexpr std::uint16_t kClassIn = 1;

struct Question {
  std::string name;  ///< With or without the final dot; "\." and "\DDD" escapes are understood.
  std::uint16_t type = kTypeAny, class_ = kClassIn;
};

struct Record {
  std::string name;  ///< Fully qualified, escaped.
  std::uint16_t type = 0, class_ = 0;
  std::uint32_t ttl = 0;
  std::string text;  ///< The data as a zone file has it.
  std::string data;  ///< The data as sent; names inside may be compressed and mean nothing here.
  std::uint32_t serial = 0;  ///< Of a SOA record.
  /// "name.\tTTL\tCLASS\tTYPE\tdata"
  [[nodiscard]] std::string Text() const;
};

struct Message {
  std::uint16_t id = 0;
  int rcode = 0;
  bool response = false, truncated = false;
  std::vector<Record> answer, authority, additional;
};

/// kInvalidArgument for a name with an empty or overlong label.
[[nodiscard]] Result<std::string> BuildQuery(std::uint16_t id, const Question& question,
                                             bool recursion_desired);
/// kParse for anything that is not a message. Never reads outside `bytes`, never loops.
[[nodiscard]] Result<Message> ParseMessage(std::string_view bytes);

}  // namespace millrace::uptime_probe::dns
