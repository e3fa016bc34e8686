// The encoders that write less than the whole event: text, raw_message, logfmt.
#include <algorithm>

#include "agent/core/escape.h"
#include "agent/core/name.h"
#include "agent/encode/encoder.h"
#include "agent/encode/value.h"

namespace millrace::agent {
namespace {

/// The message alone. An event without one is written as JSON: an empty line would lose it.
class MessageEncoder final : public Encoder {
 public:
  MessageEncoder(const EncodingConfig& config, bool raw)
      : raw_(raw), whole_(MakeJsonEncoder(config, names::kTimestamp)) {}

  void Start(const EventBatch& batch) override {
    batch_ = &batch;
    whole_->Start(batch);
  }

  void Append(const Event& event, Buffer& out) override {
    const Field* message = batch_->Find(event, names::kMessage);
    if (message == nullptr) return whole_->Append(event, out);
    if (raw_) return AppendPlain(out, *message);
    scratch_.clear();
    AppendPlain(scratch_, *message);
    const std::size_t start = out.size();
    AppendUtf8(out, scratch_.view());
    // One event, one line.
    std::replace(out.data() + start, out.data() + out.size(), '\n', ' ');
  }

 private:
  const EventBatch* batch_ = nullptr;
  bool raw_;
  std::unique_ptr<Encoder> whole_;
  Buffer scratch_;
};

/// key=value key="quoted value"; nested JSON as a quoted string.
class LogfmtEncoder final : public Encoder {
 public:
  explicit LogfmtEncoder(const EncodingConfig& config)
      : values_(config.timestamp_format),
        only_(config.only_fields),
        except_(config.except_fields) {}

  void Start(const EventBatch& batch) override { batch_ = &batch; }

  void Append(const Event& event, Buffer& out) override {
    bool has_timestamp = (event.flags & EventBatch::kNoTime) != 0 || event.time_ns == 0;
    const std::size_t start = out.size();
    ForEachField(*batch_, event, [&](const Field& f) {
      has_timestamp = has_timestamp || f.name() == names::kTimestamp;
      if (Wanted(f.name())) Pair(out, start, f);
    });
    if (!has_timestamp && Wanted(names::kTimestamp))
      Pair(out, start, Field::Timestamp(names::kTimestamp, event.time_ns));
  }

 private:
  [[nodiscard]] bool Wanted(std::string_view name) const {
    const auto has = [name](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    return (only_.empty() || has(only_)) && !has(except_);
  }

  static bool NeedsQuotes(std::string_view s) {
    return s.empty() || std::any_of(s.begin(), s.end(), [](char c) {
             const auto u = static_cast<unsigned char>(c);
             return u <= ' ' || c == '=' || c == '"' || c == '\\' || u == 0x7F;
           });
  }

  void Pair(Buffer& out, std::size_t start, const Field& f) {
    if (out.size() != start) out.Append(' ');
    for (const char c : f.name())
      out.Append(static_cast<unsigned char>(c) <= ' ' || c == '=' || c == '"' ? '_' : c);
    out.Append('=');
    if (f.type == Type::kTimestamp) {
      scratch_.clear();
      values_.AppendTime(scratch_, f.i64);
      const std::string_view text = scratch_.view();
      return out.Append(text.front() == '"' ? text.substr(1, text.size() - 2) : text);
    }
    scratch_.clear();
    AppendPlain(scratch_, f);
    if (!f.is_text() || !NeedsQuotes(scratch_.view())) return AppendUtf8(out, scratch_.view());
    out.Append('"');
    AppendEscaped(out, scratch_.view());
    out.Append('"');
  }

  const EventBatch* batch_ = nullptr;
  ValueWriter values_;
  std::vector<std::string> only_, except_;
  Buffer scratch_;
};

}  // namespace

std::unique_ptr<Encoder> MakeEncoder(const EncodingConfig& config) {
  switch (config.codec) {
    case Codec::kText:
      return std::make_unique<MessageEncoder>(config, false);
    case Codec::kRawMessage:
      return std::make_unique<MessageEncoder>(config, true);
    case Codec::kLogfmt:
      return std::make_unique<LogfmtEncoder>(config);
    case Codec::kJson:
      break;
  }
  return MakeJsonEncoder(config, names::kTimestamp);
}

void Visit(config::Visitor& v, EncodingConfig& c) {
  v.Field("codec", c.codec,
          "json: an object with every field; text: the field `message` as one line; raw_message: "
          "its bytes unchanged; logfmt: key=value.");
  v.Field("only_fields", c.only_fields, "Write these fields and no others.");
  v.Field("except_fields", c.except_fields, "Write all fields but these.");
  v.Field("timestamp_format", c.timestamp_format,
          "How times are written: text, or a number of seconds, milliseconds or nanoseconds since "
          "1970.");
}

}  // namespace millrace::agent
