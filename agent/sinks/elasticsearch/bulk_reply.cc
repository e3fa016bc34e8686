#include "agent/sinks/elasticsearch/bulk_reply.h"

#include <simdjson.h>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

namespace dom = simdjson::dom;

void Assign(std::string& out, const dom::element& value) {
  std::string_view text;
  if (value.get_string().get(text) == simdjson::SUCCESS) out.assign(text.substr(0, 2048));
}

bool ParseItem(const dom::object& operation, BulkItem& item) {
  for (const auto& [key, value] : operation) {
    if (key == "status") {
      std::int64_t status = 0;
      if (value.get_int64().get(status) != simdjson::SUCCESS || status < 100 || status > 599)
        return false;
      item.status = static_cast<int>(status);
    } else if (key == "failure_store") {
      std::string_view text;
      item.failure_store = value.get_string().get(text) == simdjson::SUCCESS && text == "used";
    } else if (key == "error") {
      dom::object error;
      if (value.get_object().get(error) != simdjson::SUCCESS) {
        Assign(item.reason, value);  // very old servers: a plain text
        continue;
      }
      for (const auto& [name, inner] : error) {
        if (name == "type") Assign(item.type, inner);
        if (name == "reason") Assign(item.reason, inner);
      }
    }
  }
  return item.status != 0;
}

/// {"create": {...}}
bool ParseEntry(const dom::element& element, BulkItem& item) {
  dom::object entry, operation;
  return element.get_object().get(entry) == simdjson::SUCCESS && entry.size() == 1 &&
         entry.begin().value().get_object().get(operation) == simdjson::SUCCESS &&
         ParseItem(operation, item);
}

/// The parsers keep memory for the largest text they saw. DOM, not on demand: a reply counts only
/// if all of it is JSON, and Debian's on-demand build has no vector code.
dom::parser& Parser() {
  thread_local dom::parser parser;
  return parser;
}

}  // namespace

Status ParseBulkReply(std::string& body, std::size_t expected, std::vector<BulkItem>& items) {
  items.clear();
  body.reserve(body.size() + simdjson::SIMDJSON_PADDING);
  dom::object root;
  if (Parser().parse(body.data(), body.size(), false).get_object().get(root) != simdjson::SUCCESS)
    return Fail(ErrorCode::kParse, "the reply is not a JSON object: " + Printable(body, 200));
  dom::array array;
  if (root["items"].get_array().get(array) != simdjson::SUCCESS)
    return Fail(ErrorCode::kParse, "the reply has no items: " + Printable(body, 200));
  items.reserve(expected);
  for (const dom::element element : array) {
    if (items.size() == expected)
      return Fail(ErrorCode::kParse, "the reply has more items than were sent");
    if (!ParseEntry(element, items.emplace_back()))
      return Fail(ErrorCode::kParse,
                  "item " + std::to_string(items.size() - 1) + " of the reply is not readable");
  }
  if (items.size() != expected)
    return Fail(ErrorCode::kParse, "the reply has " + std::to_string(items.size()) + " items for " +
                                       std::to_string(expected) + " events");
  return {};
}

std::string ErrorOfReply(std::string_view body) {
  dom::element error;
  if (Parser().parse(body.data(), body.size(), true)["error"].get(error) == simdjson::SUCCESS) {
    std::string_view type, reason;
    if (error["type"].get_string().get(type) == simdjson::SUCCESS) {
      std::string out(type);
      if (error["reason"].get_string().get(reason) == simdjson::SUCCESS)
        out += ": " + std::string(reason);
      return Printable(out, 500);
    }
    if (error.get_string().get(reason) == simdjson::SUCCESS) return Printable(reason, 500);
  }
  return body.empty() ? "empty reply" : Printable(body, 300);
}

Judgement JudgeItem(const BulkItem& item, bool create) {
  const std::string_view type = item.type, reason = item.reason;
  const auto says = [&](std::string_view text) {
    return reason.find(text) != std::string_view::npos;
  };
  if (item.status >= 200 && item.status < 300)
    return {item.failure_store ? Verdict::kRedirected : Verdict::kStored, "stored"};
  if (item.status == 409) {
    if (create) return {Verdict::kDuplicate, "duplicate"};
    return {Verdict::kRetry, "version_conflict"};  // a race with another writer of the same _id
  }
  // A block is the operator's or the disk's doing, whatever status it comes with (429 for the flood
  // stage, 403 for a read-only index).
  if (type == "cluster_block_exception") return {Verdict::kOperational, "index_blocked"};
  if (item.status == 429) return {Verdict::kRetry, "overload", true};
  if (item.status == 408 || item.status >= 500) return {Verdict::kRetry, "server_error"};
  if (type == "index_closed_exception") return {Verdict::kOperational, "index_closed"};
  if (item.status == 401 || item.status == 403) return {Verdict::kOperational, "forbidden"};
  if (item.status == 404) return {Verdict::kOperational, "not_found"};
  if (item.status == 413) return {Verdict::kRefused, "too_large"};
  if (type == "invalid_index_name_exception") return {Verdict::kRefused, "invalid_index_name"};
  if (type == "illegal_argument_exception") {
    if (says("no write index is defined")) return {Verdict::kOperational, "no_write_index"};
    if (says("only write ops with an op_type of create"))
      return {Verdict::kOperational, "data_stream_needs_create"};
    if (says("pipeline with id")) return {Verdict::kOperational, "no_pipeline"};
    if (says("is not an alias") || says("has more than one index associated"))
      return {Verdict::kOperational, "no_write_index"};
  }
  // The cluster has as many shards as it may: the index cannot be made now.
  if (says("maximum normal shards open") || says("maximum shards open") ||
      (type == "validation_exception" && says("shards")))
    return {Verdict::kOperational, "shard_limit"};
  if (type == "document_parsing_exception" || type == "mapper_parsing_exception" ||
      type == "strict_dynamic_mapping_exception" || type == "illegal_argument_exception")
    return {Verdict::kRefused, "mapping"};
  return {Verdict::kRefused, "refused"};
}

WholeVerdict JudgeWhole(int status) {
  if (status == 413) return WholeVerdict::kTooLarge;
  if (status == 400) return WholeVerdict::kBadRequest;
  if (status == 408 || status == 429 || status >= 500) return WholeVerdict::kRetry;
  return WholeVerdict::kOperational;
}

}  // namespace millrace::agent
