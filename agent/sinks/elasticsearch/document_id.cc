#include "agent/sinks/elasticsearch/document_id.h"

namespace millrace::agent {

char* WriteDocumentId(const EventId& id, char* out) {
  static constexpr char kAlphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  // 128 bits, most significant first, in groups of six; the last group has two bits.
  for (int shift = 58; shift >= 4; shift -= 6) *out++ = kAlphabet[id.high >> shift & 63];
  *out++ = kAlphabet[(id.high << 2 | id.low >> 62) & 63];
  for (int shift = 56; shift >= 2; shift -= 6) *out++ = kAlphabet[id.low >> shift & 63];
  *out++ = kAlphabet[id.low << 4 & 63];
  return out;
}

std::string DocumentId(const EventId& id) {
  char text[kDocumentIdSize];
  return {text, WriteDocumentId(id, text)};
}

}  // namespace millrace::agent
