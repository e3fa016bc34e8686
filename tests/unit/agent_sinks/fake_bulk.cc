#include "tests/unit/agent_sinks/fake_bulk.h"

#include <simdjson.h>

#include "common/base/strings.h"
#include "tests/unit/agent_sinks/decompress.h"

namespace millrace::agent::testing {

FakeBulk::FakeBulk() {
  server_ =
      std::make_unique<test::FakeHttp>([this](const test::FakeRequest& r) { return Handle(r); });
}

test::FakeReply FakeBulk::Handle(const test::FakeRequest& request) {
  const std::lock_guard lock(mu_);
  if (request.method == "GET") return {200, root.get(), root_headers.get()};
  const std::string encoding = request.header("content-encoding");
  std::string plain = request.body;
  if (encoding == "gzip") plain = Gunzip(plain);
  if (encoding == "zstd") plain = Unzstd(plain);
  const int n = bulks_++;
  bodies_.push_back(plain);
  encodings_.push_back(encoding);
  std::vector<Doc> docs;
  const std::vector<std::string_view> lines = Split(plain, '\n');
  simdjson::dom::parser parser;
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) {
    simdjson::dom::object entry;
    if (parser.parse(std::string(lines[i])).get_object().get(entry) != simdjson::SUCCESS)
      return {
          400,
          R"({"error":{"type":"illegal_argument_exception","reason":"Malformed action/metadata line"}})"};
    Doc d;
    d.action = entry.begin().key();
    d.index = std::string_view(entry.begin().value()["_index"]);
    d.id = std::string_view(entry.begin().value()["_id"]);
    d.source = lines[i + 1];
    docs.push_back(std::move(d));
  }
  if (const auto answer = on_request.get())
    if (auto reply = answer(n, request, docs)) return *reply;
  const auto refuse = on_doc.get();
  std::string body = R"({"errors":true,"took":1,"items":[)";
  for (const Doc& d : docs) {
    int status = 201;
    std::string error;
    if (auto refusal = refuse ? refuse(n, d) : std::nullopt) {
      status = refusal->status;
      error =
          R"(,"error":{"type":")" + refusal->type + R"(","reason":")" + refusal->reason + R"("})";
    } else if (d.action == "create" && docs_[d.index].contains(d.id)) {
      status = 409;
      error =
          R"(,"error":{"type":"version_conflict_engine_exception","reason":"document already exists"})";
      ++conflicts_;
    } else {
      docs_[d.index][d.id] = d.source;
    }
    body += R"({")" + d.action + R"(":{"status":)" + std::to_string(status) + error + "}},";
  }
  if (!docs.empty()) body.pop_back();
  return {200, body + "]}"};
}

std::map<std::string, std::map<std::string, std::string>> FakeBulk::docs() const {
  const std::lock_guard lock(mu_);
  return docs_;
}
std::size_t FakeBulk::count() const {
  const std::lock_guard lock(mu_);
  std::size_t n = 0;
  for (const auto& [index, docs] : docs_) n += docs.size();
  return n;
}
int FakeBulk::bulks() const {
  const std::lock_guard lock(mu_);
  return bulks_;
}
std::vector<std::string> FakeBulk::bodies() const {
  const std::lock_guard lock(mu_);
  return bodies_;
}
std::vector<std::string> FakeBulk::encodings() const {
  const std::lock_guard lock(mu_);
  return encodings_;
}
int FakeBulk::conflicts() const {
  const std::lock_guard lock(mu_);
  return conflicts_;
}

}  // namespace millrace::agent::testing
