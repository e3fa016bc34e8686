// The JSON encoder. An event that came as a JSON object nobody rewrote is spliced: its text is
// copied up to the closing brace and what was added goes behind it.
#include <algorithm>
#include <charconv>
#include <cstring>

#include "agent/core/escape.h"
#include "agent/core/name.h"
#include "agent/encode/encoder.h"
#include "agent/encode/value.h"

namespace millrace::agent {
namespace {

class JsonEncoder final : public Encoder {
 public:
  JsonEncoder(const EncodingConfig& config, std::string_view timestamp_name)
      : values_(config.timestamp_format),
        only_(config.only_fields),
        except_(config.except_fields),
        timestamp_name_(timestamp_name) {
    timestamp_key_.Append(",\"");
    AppendEscaped(timestamp_key_, timestamp_name_);
    timestamp_key_.Append("\":");
    timestamp_wanted_ = Wanted(timestamp_name_);
  }

  void Start(const EventBatch& batch) override {
    batch_ = &batch;
    common_.clear();
    common_lengths_ = 0;
    common_has_timestamp_ = false;
    for (const Field& f : batch.common()) {
      if (Wanted(f.name())) AppendField(common_, f);
      common_lengths_ |= LengthBit(f.name_len);
      common_has_timestamp_ = common_has_timestamp_ || f.name() == timestamp_name_;
    }
  }

  void Append(const Event& event, Buffer& out) override {
    const std::size_t start = out.size();
    const std::span<const Field> own = batch_->fields(event);
    std::size_t next = 0;
    bool spliced = false;
    if (event.object != nullptr && event.object_len >= 2 && only_.empty() && except_.empty()) {
      std::string_view object(event.object, event.object_len - 1);
      while (object.size() > 1 && IsBlank(object.back())) object.remove_suffix(1);
      if (object.back() != '{') {
        AppendOneLine(out, object);
        next = event.object_fields;
        spliced = true;
      }
    }
    std::uint64_t lengths = 0;
    bool hides = false, has_timestamp = common_has_timestamp_;
    for (std::size_t i = 0; i < own.size(); ++i) {
      const Field& f = own[i];
      lengths |= LengthBit(f.name_len);
      if (FieldView::Hidden(f)) {
        hides = true;
        continue;
      }
      if (f.name_len == timestamp_name_.size() && f.name() == timestamp_name_) has_timestamp = true;
      if (i >= next && Wanted(f.name())) AppendField(out, f);
    }
    if (hides || (lengths & common_lengths_) != 0) {
      has_timestamp = AppendCommonSlowly(own, out);
    } else {
      out.Append(common_.view());
    }
    if (!has_timestamp && timestamp_wanted_ && event.time_ns != 0 &&
        (event.flags & EventBatch::kNoTime) == 0) {
      out.Append(timestamp_key_.view());
      values_.AppendTime(out, event.time_ns);
    }
    // Every field was written with a comma in front; the first one of an object has none.
    if (!spliced && out.size() != start)
      out.data()[start] = '{';
    else if (!spliced)
      out.Append('{');
    out.Append('}');
  }

 private:
  static bool IsBlank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  static std::uint64_t LengthBit(std::size_t length) { return std::uint64_t{1} << (length & 63); }

  [[nodiscard]] bool Wanted(std::string_view name) const {
    const auto has = [name](const std::vector<std::string>& list) {
      return std::find(list.begin(), list.end(), name) != list.end();
    };
    return (only_.empty() || has(only_)) && (except_.empty() || !has(except_));
  }

  /// `,"name":value`
  void AppendField(Buffer& out, const Field& f) {
    const std::string_view name = f.name();
    // Room for the whole of a field whose text needs no escape, so that it is checked once.
    char* p = out.Reserve(name.size() + f.len + 64);
    *p++ = ',';
    *p++ = '"';
    p = CopyPlainAscii(p, name);
    if (p == nullptr) return AppendFieldSlowly(out, f);
    *p++ = '"';
    *p++ = ':';
    switch (f.type) {
      case Type::kString: {
        *p++ = '"';
        char* const end = CopyPlainAscii(p, f.text());
        if (end == nullptr) {
          out.CommitTo(p);
          AppendEscaped(out, f.text());
          return out.Append('"');
        }
        *end = '"';
        return out.CommitTo(end + 1);
      }
      case Type::kJsonString:
        *p++ = '"';
        if (f.len > 0) std::memcpy(p, f.str, f.len);
        p[f.len] = '"';
        return out.CommitTo(p + f.len + 1);
      case Type::kInt:
        return out.CommitTo(std::to_chars(p, p + 24, f.i64).ptr);
      default:
        out.CommitTo(p);
        return values_.Append(out, f);
    }
  }
  void AppendFieldSlowly(Buffer& out, const Field& f) {
    out.Append(",\"");
    AppendEscaped(out, f.name());
    out.Append("\":");
    values_.Append(out, f);
  }

  /// Some own field may hide a common one. Returns whether the event has a timestamp of its own.
  bool AppendCommonSlowly(std::span<const Field> own, Buffer& out) {
    const auto hidden = [own](std::string_view name) {
      return std::any_of(own.begin(), own.end(), [&](const Field& f) { return f.name() == name; });
    };
    bool has_timestamp = std::any_of(own.begin(), own.end(), [this](const Field& f) {
      return !FieldView::Hidden(f) && f.name() == timestamp_name_;
    });
    for (const Field& c : batch_->common()) {
      if (hidden(c.name())) continue;
      has_timestamp = has_timestamp || c.name() == timestamp_name_;
      if (Wanted(c.name())) AppendField(out, c);
    }
    return has_timestamp;
  }

  const EventBatch* batch_ = nullptr;
  ValueWriter values_;
  std::vector<std::string> only_, except_;
  std::string timestamp_name_;
  Buffer timestamp_key_, common_;
  std::uint64_t common_lengths_ = 0;
  bool common_has_timestamp_ = false, timestamp_wanted_ = true;
};

}  // namespace

std::unique_ptr<Encoder> MakeJsonEncoder(const EncodingConfig& config,
                                         std::string_view timestamp_name) {
  return std::make_unique<JsonEncoder>(config, timestamp_name);
}

}  // namespace millrace::agent
