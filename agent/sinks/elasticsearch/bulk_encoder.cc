#include "agent/sinks/elasticsearch/bulk_encoder.h"

#include <chrono>

#include "agent/encode/escape.h"
#include "agent/sinks/elasticsearch/document_id.h"

namespace millrace::agent {
namespace {

constexpr std::size_t kMaxId = 512;  // the servers refuse longer ones

EncodingConfig ToEncoding(const ElasticsearchConfig::Encoding& c) {
  EncodingConfig e;
  e.only_fields = c.only_fields;
  e.except_fields = c.except_fields;
  e.timestamp_format = c.timestamp_format;
  return e;
}

std::int64_t NowNs() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

BulkEncoder::BulkEncoder(const ElasticsearchConfig& config)
    : id_key_(config.id_key),
      stamp_(!config.timestamp_field.empty()),
      encoder_(MakeJsonEncoder(ToEncoding(config.encoding), config.timestamp_field)) {}

void BulkEncoder::AppendId(const Item& item, Buffer& out) const {
  const EventBatch& batch = item.held->batch();
  if (!id_key_.empty()) {
    if (const Field* f = batch.Find(item.get(), id_key_); f != nullptr) {
      Buffer plain;
      AppendPlain(plain, *f);
      if (!plain.empty() && plain.size() <= kMaxId) return AppendEscaped(out, plain.view());
    }
  }
  char* p = out.Reserve(kDocumentIdSize);
  out.CommitTo(WriteDocumentId(batch.IdOf(item.get()), p));
}

void BulkEncoder::Append(const Item& item, Buffer& out) {
  const EventBatch& batch = item.held->batch();
  if (started_.get() != item.held) {
    encoder_->Start(batch);
    started_ = item.held->shared_from_this();
  }
  out.Append(item.target->action_line);
  AppendId(item, out);
  out.Append("\"}}\n");
  const Event& event = item.get();
  if (event.time_ns != 0 || !stamp_) {
    Event copy = event;
    if (!stamp_) copy.flags |= EventBatch::kNoTime;
    encoder_->Append(stamp_ ? event : copy, out);
  } else {
    Event copy = event;
    copy.time_ns = NowNs();
    encoder_->Append(copy, out);
  }
  out.Append('\n');
}

}  // namespace millrace::agent
