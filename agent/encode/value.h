#pragma once
// Single values, for the encoders.
#include <cstdint>

#include "agent/core/event.h"
#include "agent/encode/encoder.h"
#include "common/base/buffer.h"
#include "common/time/format.h"

namespace millrace::agent {

void AppendInteger(Buffer& out, std::int64_t v);
/// Shortest text that reads back the same, always with a point or an exponent: a consumer that
/// guesses types from the first document must not take 1.0 for an integer. Not finite: "null".
void AppendDouble(Buffer& out, double v);
/// Raw JSON on one line: line feeds, which valid JSON has between tokens only, become blanks.
void AppendOneLine(Buffer& out, std::string_view json);

/// Field values as JSON. Keeps the text of the last second.
class ValueWriter {
 public:
  explicit ValueWriter(TimestampFormat format) : format_(format) {}
  void Append(Buffer& out, const Field& field);
  void AppendTime(Buffer& out, std::int64_t ns);

 private:
  TimestampFormat format_;
  Rfc3339Writer rfc3339_;
};

}  // namespace millrace::agent
