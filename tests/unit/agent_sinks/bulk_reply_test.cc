#include "agent/sinks/elasticsearch/bulk_reply.h"

#include "agent/sinks/elasticsearch/cluster.h"
#include "agent/sinks/elasticsearch/document_id.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

struct Row {
  const char* what;
  int status;
  const char *type, *reason;
  Verdict verdict;
  bool create = true;
};

TEST_CASE("what each item result of Elasticsearch and OpenSearch means") {
  const Row rows[] = {
      {"created", 201, "", "", Verdict::kStored},
      {"indexed again", 200, "", "", Verdict::kStored, false},
      {"our own replay", 409, "version_conflict_engine_exception",
       "[x]: version conflict, document already exists", Verdict::kDuplicate},
      {"race of index operations", 409, "version_conflict_engine_exception", "", Verdict::kRetry,
       false},
      {"wrong type, ES", 400, "document_parsing_exception", "[1:9] failed to parse field [status]",
       Verdict::kRefused},
      {"wrong type, OS", 400, "mapper_parsing_exception", "failed to parse field [status]",
       Verdict::kRefused},
      {"total fields, ES", 400, "document_parsing_exception",
       "Limit of total fields [1000] has been exceeded", Verdict::kRefused},
      {"total fields, OS", 400, "illegal_argument_exception",
       "Limit of total fields [1000] has been exceeded", Verdict::kRefused},
      {"immense term, OS", 400, "illegal_argument_exception",
       "Document contains at least one immense term", Verdict::kRefused},
      {"strict mapping", 400, "strict_dynamic_mapping_exception",
       "introduction of [x] is not allowed", Verdict::kRefused},
      {"index into a data stream", 400, "illegal_argument_exception",
       "only write ops with an op_type of create are allowed in data streams",
       Verdict::kOperational, false},
      {"no @timestamp", 400, "document_parsing_exception",
       "data stream timestamp field [@timestamp] is missing", Verdict::kRefused},
      {"illegal index name", 400, "invalid_index_name_exception",
       "Invalid index name [A], must be lowercase", Verdict::kRefused},
      {"no write index", 400, "illegal_argument_exception",
       "no write index is defined for alias [a]. The write index may be explicitly disabled",
       Verdict::kOperational},
      {"closed index", 400, "index_closed_exception", "closed", Verdict::kOperational},
      {"flood stage", 429, "cluster_block_exception",
       "index [x] blocked by: [TOO_MANY_REQUESTS/12/disk usage exceeded flood-stage watermark]",
       Verdict::kOperational},
      {"read-only", 403, "cluster_block_exception",
       "index [x] blocked by: [FORBIDDEN/8/index write (api)];", Verdict::kOperational},
      {"queue full", 429, "es_rejected_execution_exception",
       "rejected execution of coordinating operation", Verdict::kRetry},
      {"queue full, OS", 429, "rejected_execution_exception", "", Verdict::kRetry},
      {"breaker", 429, "circuit_breaking_exception", "[parent] Data too large", Verdict::kRetry},
      {"no shard", 503, "unavailable_shards_exception", "primary shard is not active",
       Verdict::kRetry},
      {"not allowed", 403, "security_exception", "action [indices:data/write/bulk] is unauthorized",
       Verdict::kOperational},
      {"no index and none may be made", 404, "index_not_found_exception",
       "no such index [x] and [action.auto_create_index] is [false]", Verdict::kOperational},
      {"too many shards", 400, "validation_exception",
       "this action would add [2] shards, but this cluster currently has [1000]/[1000] maximum "
       "normal shards open;",
       Verdict::kOperational},
      {"no pipeline", 400, "illegal_argument_exception", "pipeline with id [p] does not exist",
       Verdict::kOperational},
      {"unknown refusal", 400, "something_new_exception", "", Verdict::kRefused},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const BulkItem item{row.status, false, row.type, row.reason};
    CHECK(JudgeItem(item, row.create).verdict == row.verdict);
  }
  CHECK(JudgeItem({201, true, "", ""}, true).verdict == Verdict::kRedirected);
  CHECK(JudgeItem({429, false, "es_rejected_execution_exception", ""}, true).overload);
}

TEST_CASE("what a refusal of the whole request means") {
  for (const int s : {408, 429, 500, 502, 503, 504}) CHECK(JudgeWhole(s) == WholeVerdict::kRetry);
  for (const int s : {401, 403, 404, 301, 405, 415})
    CHECK(JudgeWhole(s) == WholeVerdict::kOperational);
  CHECK(JudgeWhole(413) == WholeVerdict::kTooLarge);
  CHECK(JudgeWhole(400) == WholeVerdict::kBadRequest);
}

TEST_CASE("a reply gives one result an event, in order") {
  std::string body =
      R"({"errors":true,"took":3,"items":[{"create":{"status":201}},)"
      R"({"create":{"status":400,"error":{"type":"document_parsing_exception","reason":"no \"x\""}}},)"
      R"({"index":{"status":201,"failure_store":"used"}},{"create":{"status":201,"failure_store":"not_enabled"}}]})";
  std::vector<BulkItem> items;
  REQUIRE(ParseBulkReply(body, 4, items));
  CHECK(items[0].status == 201);
  CHECK(items[1].status == 400);
  CHECK(items[1].type == "document_parsing_exception");
  CHECK(items[1].reason == "no \"x\"");
  CHECK(items[2].failure_store);
  CHECK_FALSE(items[3].failure_store);
}

TEST_CASE("a reply that does not fit the request is not believed") {
  const char* bad[] = {
      "",
      "gateway timeout",
      "[]",
      "{}",
      R"({"errors":false})",
      R"({"items":{}})",
      R"({"items":[]})",
      R"({"items":[{"create":{"status":201}}]})",
      R"({"items":[{"create":{"status":201}},{"create":{"status":201}},{"create":{"status":201}}]})",
      R"({"items":[{"create":{"status":201}},{"create":{"status":2)",
      R"({"items":[{"create":{"status":201}},{"create":{}}]})",
      R"({"items":[{"create":{"status":201}},{"create":{"status":"201"}}]})",
      R"({"items":[{"create":{"status":201}},{"create":{"status":99999999999999999999}}]})",
      R"({"items":[{"create":{"status":201}},7]})",
      R"({"items":[{"create":{"status":201},"index":{"status":201}},{"create":{"status":201}}]})",
      R"({"items":[{"create":{"status":201}},{"create":{"status":201}}]}])",
  };
  for (const std::string text : bad) {
    INFO(text);
    std::string body = text;
    std::vector<BulkItem> items;
    CHECK_FALSE(ParseBulkReply(body, 2, items));
  }
}

TEST_CASE("errors of whole requests are told in words") {
  CHECK(
      ErrorOfReply(
          R"({"error":{"root_cause":[],"type":"security_exception","reason":"missing authentication"},"status":401})") ==
      "security_exception: missing authentication");
  CHECK(ErrorOfReply(R"({"error":"alias [x] missing","status":404})") == "alias [x] missing");
  CHECK(ErrorOfReply("<html>") == "<html>");
  CHECK(ErrorOfReply("") == "empty reply");
}

TEST_CASE("the server is known by its page or by its headers") {
  http::Response r;
  r.status = 200;
  r.body =
      R"({"version":{"number":"9.5.3","build_flavor":"default"},"tagline":"You Know, for Search"})";
  CHECK((ServerOf(r).known && !ServerOf(r).opensearch && ServerOf(r).version == "9.5.3"));
  r.body = R"({"version":{"distribution":"opensearch","number":"3.8.0"}})";
  CHECK((ServerOf(r).known && ServerOf(r).opensearch));
  r.status = 405;
  r.body = "";
  CHECK_FALSE(ServerOf(r).known);
  r.headers = {{"x-elastic-product", "Elasticsearch"}};
  CHECK((ServerOf(r).known && !ServerOf(r).opensearch));
  r.headers = {{"x-opensearch-version", "OpenSearch/3.6.0"}};
  CHECK((ServerOf(r).known && ServerOf(r).opensearch));
}

TEST_CASE("document ids are base64url of the identity") {
  CHECK(DocumentId({0, 0}) == "AAAAAAAAAAAAAAAAAAAAAA");
  CHECK(DocumentId({~0ULL, ~0ULL}) == "_____________________w");
  CHECK(DocumentId({0x0123456789abcdefULL, 0xfedcba9876543210ULL}) == "ASNFZ4mrze_-3LqYdlQyEA");
}

}  // namespace
}  // namespace millrace::agent
