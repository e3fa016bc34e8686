#pragma once
// A search server in memory: takes `_bulk` bodies, keeps documents by index and _id, and answers
// each as a test's script says.
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "tests/support/fake_http.h"
#include "tests/support/guarded.h"

namespace millrace::agent::testing {

class FakeBulk {
 public:
  struct Doc {
    std::string action, index, id, source;
  };
  /// An item's answer other than success.
  struct Refusal {
    int status;
    std::string type, reason;
  };
  /// Both are called under the server's lock; `request` counts _bulk requests from 0.
  test::Guarded<std::function<std::optional<test::FakeReply>(int request, const test::FakeRequest&,
                                                             const std::vector<Doc>&)>>
      on_request;
  test::Guarded<std::function<std::optional<Refusal>(int request, const Doc&)>> on_doc;
  test::Guarded<std::string> root{
      R"({"version":{"number":"9.5.3"},"tagline":"You Know, for Search"})"};

  test::Guarded<std::vector<std::string>> root_headers{
      std::vector<std::string>{"X-elastic-product: Elasticsearch"}};

  FakeBulk();
  [[nodiscard]] std::string url() const { return server_->url(); }
  /// index -> _id -> document.
  [[nodiscard]] std::map<std::string, std::map<std::string, std::string>> docs() const;
  [[nodiscard]] std::size_t count() const;
  [[nodiscard]] int bulks() const;
  /// Plain bodies of all _bulk requests, and their Content-Encoding.
  [[nodiscard]] std::vector<std::string> bodies() const;
  [[nodiscard]] std::vector<std::string> encodings() const;
  /// Documents that were sent again although they were there.
  [[nodiscard]] int conflicts() const;

 private:
  test::FakeReply Handle(const test::FakeRequest& request);
  mutable std::mutex mu_;
  std::map<std::string, std::map<std::string, std::string>> docs_;
  std::vector<std::string> bodies_, encodings_;
  int bulks_ = 0, conflicts_ = 0;
  std::unique_ptr<test::FakeHttp> server_;
};

}  // namespace millrace::agent::testing
