#include "agent/transforms/parse/failure.h"

#include <chrono>

#include "agent/core/name.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent {

FailurePolicy::FailurePolicy(OnFailure on_failure, const std::string& error_field,
                             std::shared_ptr<Metrics> metrics)
    : on_failure_(on_failure),
      error_field_(InternName(error_field)),
      metrics_(std::move(metrics)) {}

void FailurePolicy::Fail(EventBatch& batch, std::size_t i, const char* why) {
  if (failed_++ == 0) {
    why_ = why;
    const Field* text = batch.Find(i, names::kMessage);
    sample_ = text != nullptr && text->is_text() ? Printable(text->text(), 160) : std::string();
  }
  if (on_failure_ == OnFailure::kDrop) return batch.Drop(i);
  if (!error_field_.empty()) batch.Set(i, Field::String(error_field_, why));
  if (on_failure_ == OnFailure::kRoute) batch.event(i).output = 1;
}

void FailurePolicy::Count() {
  if (failed_ == 0) return;
  metrics_->Errors("parse_failed").Add(static_cast<double>(failed_));
  if (on_failure_ == OnFailure::kDrop)
    metrics_->Discarded("parse_failed", true).Add(static_cast<double>(failed_));
  static log::Limit limit(std::chrono::seconds(10));
  if (limit.Pass())
    log::Warn("Events could not be parsed", {{"component", metrics_->id()},
                                             {"reason", why_},
                                             {"events", failed_},
                                             {"example", sample_}});
  failed_ = 0;
}

void VisitFailure(config::Visitor& v, OnFailure& on_failure, std::string& error_field) {
  v.Field("on_failure", on_failure,
          "An event that cannot be handled: `keep` it with `error_field`, `drop` it, or `route` it "
          "(with `error_field`) to the output `<name>.failed`.");
  v.Field("error_field", error_field, "Field that says what was wrong. Empty: none.");
}

}  // namespace millrace::agent
