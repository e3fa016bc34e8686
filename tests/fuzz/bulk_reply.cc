// Replies of a server that cannot be trusted: the first byte says how many events were sent.
#include "agent/sinks/elasticsearch/bulk_reply.h"

#include <cstdlib>

extern "C" int LLVMFuzzerTestOneInput(const unsigned char* data, std::size_t size) {
  using namespace millrace::agent;
  if (size == 0) return 0;
  std::string body(reinterpret_cast<const char*>(data) + 1, size - 1);
  static_cast<void>(ErrorOfReply(body));
  std::vector<BulkItem> items;
  const std::size_t expected = data[0];
  if (!ParseBulkReply(body, expected, items)) return 0;
  if (items.size() != expected) std::abort();
  for (const BulkItem& item : items) {
    const Judgement j = JudgeItem(item, true);
    // What is not a success is never taken for one.
    const bool good = j.verdict == Verdict::kStored || j.verdict == Verdict::kRedirected ||
                      j.verdict == Verdict::kDuplicate;
    if (good && !(item.status >= 200 && item.status < 300) && item.status != 409) std::abort();
  }
  return 0;
}
