#include "agent/transforms/fields/timestamp.h"

#include <charconv>

#include "agent/core/json_text.h"
#include "agent/core/name.h"
#include "agent/core/path.h"
#include "agent/decode/convert.h"
#include "agent/transforms/fields/constant.h"
#include "agent/transforms/parse/failure.h"
#include "agent/transforms/parse/merge.h"
#include "agent/transforms/parse/zone_option.h"

namespace millrace::agent {
namespace {

class Timestamp final : public Transform {
 public:
  Timestamp(const TimestampConfig& c, Path source, Path target,
            std::vector<time::TimeParser> formats, std::shared_ptr<Metrics> metrics)
      : source_(std::move(source)),
        target_(std::move(target)),
        formats_(std::move(formats)),
        drop_field_(c.drop_field),
        event_time_(target_.top_level() && target_.field() == names::kTimestamp),
        same_(source_.ToString() == target_.ToString()),
        outputs_(c.OutputNames()),
        failure_(c.on_failure, c.error_field, std::move(metrics)) {}

  void Apply(EventBatch& batch) override {
    now_ = NowNanos();
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (const char* why = Parse(batch, i)) failure_.Fail(batch, i, why);
    failure_.Count();
  }
  std::span<const std::string> outputs() const override { return outputs_; }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Timestamp>(*this); }

 private:
  const char* Parse(EventBatch& batch, std::size_t i) {
    const Value value = source_.Get(batch, batch.event(i));
    if (!value.present) return "the field is absent";
    if (value.type == Type::kTimestamp) {
      Store(batch, i, value.i64);
      return nullptr;
    }
    char digits[32];
    std::string_view text;
    if (value.type == Type::kInt) {
      text = {digits, static_cast<std::size_t>(
                          std::to_chars(digits, digits + sizeof digits, value.i64).ptr - digits)};
    } else if (value.is_number() && value.type == Type::kRawJson) {
      text = value.text();
    } else {
      text = TextOf(value, batch.arena);
    }
    for (const time::TimeParser& format : formats_) {
      if (const auto ns = format.Parse(text, now_)) {
        Store(batch, i, *ns);
        return nullptr;
      }
    }
    return "the time fits none of the formats";
  }

  void Store(EventBatch& batch, std::size_t i, std::int64_t ns) const {
    if (drop_field_ && !same_) source_.Remove(batch, i);
    if (!event_time_) {
      target_.Set(batch, i, Value::Timestamp(ns));
      return;
    }
    batch.event(i).time_ns = ns;
    // A field of that name would stand in the output instead of the event's time.
    if (batch.Find(i, names::kTimestamp) != nullptr)
      batch.Set(i, Field::Timestamp(names::kTimestamp, ns));
  }

  Path source_, target_;
  std::vector<time::TimeParser> formats_;
  bool drop_field_, event_time_, same_;
  std::vector<std::string> outputs_;
  FailurePolicy failure_;
  std::int64_t now_ = 0;
};

class Convert final : public Transform {
 public:
  struct Item {
    Path path;
    Conversion conversion;
  };
  Convert(const ConvertConfig& c, std::vector<Item> items, std::shared_ptr<Metrics> metrics)
      : items_(std::move(items)),
        outputs_(c.OutputNames()),
        failure_(c.on_failure, c.error_field, std::move(metrics)) {}

  void Apply(EventBatch& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i) {
      bool ok = true;
      for (const Item& item : items_) {
        const Value value = item.path.Get(batch, batch.event(i));
        if (value.is_null()) continue;
        const Value converted = item.conversion.Apply(value, batch.arena);
        ok = ok && converted.present;
        if (converted.present) item.path.Set(batch, i, converted);
      }
      if (!ok) failure_.Fail(batch, i, "a value cannot have the type that is wanted");
    }
    failure_.Count();
  }
  std::span<const std::string> outputs() const override { return outputs_; }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Convert>(*this); }

 private:
  std::vector<Item> items_;
  std::vector<std::string> outputs_;
  FailurePolicy failure_;
};

std::vector<std::string> FailedOutput(OnFailure on_failure) {
  if (on_failure == OnFailure::kRoute) return {"failed"};
  return {};
}

}  // namespace

std::vector<std::string> TimestampConfig::OutputNames() const { return FailedOutput(on_failure); }
std::vector<std::string> ConvertConfig::OutputNames() const { return FailedOutput(on_failure); }

void Visit(config::Visitor& v, TimestampConfig& c) {
  v.Field("field", c.field, "Path of the text or number to read.").Required().Check(FieldPathFault);
  v.Field("formats", c.formats,
          "Tried in order: auto, rfc3339, rfc2822, unix, unix_ms, unix_us, unix_ns, or strptime's "
          "conversions such as %d/%b/%Y:%H:%M:%S %z.")
      .NotEmpty()
      .Check([](const std::vector<std::string>& list) {
        for (const std::string& text : list)
          if (const auto p = time::TimeParser::Make(text, nullptr); !p) return p.error().message;
        return std::string();
      });
  VisitZone(v, c.timezone);
  v.Field("target_field", c.target_field,
          "Where the time goes; `timestamp` is the event's own time.")
      .Check(FieldPathFault);
  v.Field("drop_field", c.drop_field, "Remove the text once it is read.");
  VisitFailure(v, c.on_failure, c.error_field);
}

Result<std::unique_ptr<Transform>> MakeTimestamp(const TimestampConfig& c, const Context& context) {
  MILLRACE_ASSIGN(Path source, Path::Parse(c.field));
  MILLRACE_ASSIGN(Path target, Path::Parse(c.target_field));
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  std::vector<time::TimeParser> formats;
  for (const std::string& text : c.formats) {
    MILLRACE_ASSIGN(auto format, time::TimeParser::Make(text, zone));
    formats.push_back(std::move(format));
  }
  return std::make_unique<Timestamp>(c, std::move(source), std::move(target), std::move(formats),
                                     context.metrics);
}

void Visit(config::Visitor& v, ConvertConfig& c) {
  v.Field("fields", c.fields,
          "Path and type: string, int, float, bool, timestamp, timestamp|<format>. A field that is "
          "absent or null stays so.")
      .Required()
      .NotEmpty();
  CheckPathKeys(v, "fields");
  VisitZone(v, c.timezone);
  VisitFailure(v, c.on_failure, c.error_field);
  for (const auto& [path, type] : c.fields)
    if (const auto made = Conversion::Parse(type, nullptr); !made && !v.describing())
      v.ComplainAt(v.node()["fields"][path], "fields." + path, made.error().message);
}

Result<std::unique_ptr<Transform>> MakeConvert(const ConvertConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  std::vector<Convert::Item> items;
  for (const auto& [text, type] : c.fields) {
    MILLRACE_ASSIGN(Path path, Path::Parse(text));
    MILLRACE_ASSIGN(Conversion conversion, Conversion::Parse(type, zone));
    items.push_back({std::move(path), std::move(conversion)});
  }
  return std::make_unique<Convert>(c, std::move(items), context.metrics);
}

}  // namespace millrace::agent
