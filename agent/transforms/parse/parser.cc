#include "agent/transforms/parse/parser.h"

#include "agent/core/path.h"
#include "agent/transforms/parse/failure.h"
#include "agent/transforms/parse/merge.h"

namespace millrace::agent {
namespace {

class Parser final : public Transform {
 public:
  Parser(std::shared_ptr<const Decoder> decoder, const ParserOptions& options, Path source,
         Path target, std::shared_ptr<Metrics> metrics)
      : decoder_(std::move(decoder)),
        source_(std::move(source)),
        target_(std::move(target)),
        drop_field_(options.drop_field),
        outputs_(options.OutputNames()),
        failure_(options.on_failure, options.error_field, std::move(metrics)) {}

  void Apply(EventBatch& batch) override {
    for (std::size_t i = 0; i < batch.size(); ++i)
      if (const char* why = Parse(batch, i)) failure_.Fail(batch, i, why);
    failure_.Count();
  }

  std::span<const std::string> outputs() const override { return outputs_; }
  std::unique_ptr<Transform> Clone() const override { return std::make_unique<Parser>(*this); }

 private:
  const char* Parse(EventBatch& batch, std::size_t i) {
    const Value value = source_.Get(batch, batch.event(i));
    if (!value.present) return "the field is absent";
    const std::string_view text = TextOf(value, batch.arena);
    if (text.data() == nullptr) return "the field is not a string";
    decoded_.Clear();
    if (const char* why = decoder_->Decode(text, batch.arena, decoded_)) return why;
    if (target_.root()) {
      if (decoded_.value.present) return "not an object; see target_field";
      MergeTop(batch, i, decoded_, source_, drop_field_);
      return nullptr;
    }
    const Value result = AsObject(decoded_, batch.arena);
    if (drop_field_) source_.Remove(batch, i);
    if (!target_.Set(batch, i, result)) return "target_field is no place for a value";
    if (decoded_.time_ns != 0) batch.event(i).time_ns = decoded_.time_ns;
    return nullptr;
  }

  std::shared_ptr<const Decoder> decoder_;
  Path source_, target_;
  bool drop_field_;
  std::vector<std::string> outputs_;
  FailurePolicy failure_;
  Decoded decoded_;
};

std::string PathFault(const std::string& text) {
  const auto path = Path::Parse(text);
  if (!path) return path.error().message;
  return path->root() ? "must name a field, not the whole event" : "";
}

}  // namespace

std::vector<std::string> ParserOptions::OutputNames() const {
  if (on_failure == OnFailure::kRoute) return {"failed"};
  return {};
}

void VisitParser(config::Visitor& v, ParserOptions& o) {
  v.Field("field", o.field, "Path of the text to parse.").Check(PathFault);
  v.Field("target_field", o.target_field,
          "Path under which the result goes as one object. Empty: its fields become the event's.")
      .Check([](const std::string& text) { return text.empty() ? "" : PathFault(text); });
  v.Field("drop_field", o.drop_field, "Remove the text from the event once it is parsed.");
  VisitFailure(v, o.on_failure, o.error_field);
}

Result<std::unique_ptr<Transform>> MakeParser(std::shared_ptr<const Decoder> decoder,
                                              const ParserOptions& options,
                                              const Context& context) {
  MILLRACE_ASSIGN(Path source, Path::Parse(options.field));
  MILLRACE_ASSIGN(Path target,
                  Path::Parse(options.target_field.empty() ? "." : options.target_field));
  return std::make_unique<Parser>(std::move(decoder), options, std::move(source), std::move(target),
                                  context.metrics);
}

}  // namespace millrace::agent
