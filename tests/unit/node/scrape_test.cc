#include "exporters/node/scrape.h"

#include <array>
#include <atomic>
#include <condition_variable>
#include <future>
#include <mutex>

#include "exporters/node/registry.h"
#include "tests/support/catch.h"
#include "tests/unit/node/tree.h"

using namespace millrace;
using namespace millrace::node;
using node::test::HasLine;

namespace {

struct Good : Collector {
  explicit Good(const Context&) {}
  Status Collect(MetricWriter& out) override {
    out.Gauge("good", "Good.", 1);
    return {};
  }
};

struct Failing : Collector {
  explicit Failing(const Context&) {}
  Status Collect(MetricWriter& out) override {
    out.Gauge("half", "Half.", 1);
    return Fail(ErrorCode::kParse, "broken");
  }
};

/// Hangs until released, like a driver that does not answer.
struct Gate {
  std::mutex mu;
  std::condition_variable changed;
  bool open = false;
  std::atomic<int> entered{0};
};
Gate& TheGate() {
  static Gate gate;
  return gate;
}
struct Hanging : Collector {
  explicit Hanging(const Context&) {}
  Status Collect(MetricWriter& out) override {
    ++TheGate().entered;
    std::unique_lock lock(TheGate().mu);
    TheGate().changed.wait(lock, [] { return TheGate().open; });
    out.Gauge("hung", "Hung.", 1);
    return {};
  }
};

const CollectorEntry kFailing = {"arp", true, "", nullptr, &MakeCollector<Failing>};
const CollectorEntry kHanging = {"cpu", true, "", nullptr, &MakeCollector<Hanging>};
const CollectorEntry kGood = {"stat", true, "", nullptr, &MakeCollector<Good>};
constexpr std::array<const CollectorEntry*, 3> kAll = {&kFailing, &kHanging, &kGood};
constexpr std::array<const CollectorEntry*, 2> kTwo = {&kFailing, &kGood};

FlagSet Flags(const std::vector<std::string>& args) {
  FlagSet flags("test");
  DeclareCollectorFlags(flags);
  REQUIRE(flags.Parse(args).has_value());
  return flags;
}

std::string Scraped(Scraper& scraper, const Selection& selection = {}) {
  std::string out;
  const Status s = scraper.Scrape(selection, exposition::Format::kText, nullptr, out);
  return s ? out : "error: " + s.error().message;
}

}  // namespace

TEST_CASE("scrape: a failing collector keeps what it wrote, the rest is served") {
  const auto scraper = Scraper::Make(Flags({}), kTwo).value();
  for (int i = 0; i < 3; ++i) {
    const std::string text = Scraped(*scraper);
    CHECK(HasLine(text, "good 1"));
    CHECK(HasLine(text, "half 1"));
    CHECK(HasLine(text, R"(node_scrape_collector_success{collector="arp"} 0)"));
    CHECK(HasLine(text, R"(node_scrape_collector_success{collector="stat"} 1)"));
  }
}

TEST_CASE("scrape: filters and their errors") {
  const auto scraper = Scraper::Make(Flags({"--no-collector.arp"}), kTwo).value();
  CHECK(Scraped(*scraper, {{"stat"}, {}}).find("good 1") != std::string::npos);
  CHECK(Scraped(*scraper, {{}, {"stat"}}).find("good 1") == std::string::npos);
  CHECK(Scraped(*scraper, {{"stat"}, {"stat"}}) ==
        "error: Combined collect and exclude queries are not allowed.");
  CHECK(Scraped(*scraper, {{"nope"}, {}})
            .ends_with("couldn't create collector: missing collector: nope"));
  CHECK(Scraped(*scraper, {{"arp"}, {}})
            .ends_with("couldn't create collector: disabled collector: arp"));
}

TEST_CASE("scrape: a collector that hangs is left behind and comes back") {
  const auto scraper = Scraper::Make(Flags({"--collector.timeout=50ms"}), kAll).value();
  for (int i = 0; i < 3; ++i) {
    const std::string text = Scraped(*scraper);
    CHECK(HasLine(text, "good 1"));
    CHECK(HasLine(text, R"(node_scrape_collector_success{collector="cpu"} 0)"));
    CHECK(text.find("hung 1") == std::string::npos);
  }
  CHECK(TheGate().entered == 1);  // no second thread while the first one hangs
  {
    const std::lock_guard lock(TheGate().mu);
    TheGate().open = true;
  }
  TheGate().changed.notify_all();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(30);
  std::string text;
  do {
    text = Scraped(*scraper);
  } while (text.find("hung 1") == std::string::npos && std::chrono::steady_clock::now() < deadline);
  CHECK(HasLine(text, "hung 1"));
}

TEST_CASE("scrape: many at once") {
  const auto scraper = Scraper::Make(Flags({}), kTwo).value();
  std::vector<std::future<int>> done;
  for (int t = 0; t < 8; ++t)
    done.push_back(std::async(std::launch::async, [&] {
      int good = 0;
      for (int i = 0; i < 50; ++i) good += HasLine(Scraped(*scraper), "good 1") ? 1 : 0;
      return good;
    }));
  for (auto& d : done) CHECK(d.get() == 50);
}

TEST_CASE("registry: sorted, every flag has one owner, disable-defaults") {
  std::string_view last;
  for (const CollectorEntry* entry : Collectors()) {
    CHECK(last < entry->name);
    last = entry->name;
    CHECK_FALSE(entry->summary.empty());
  }
  const FlagSet flags = Flags({"--collector.disable-defaults", "--collector.stat"});
  CHECK(IsEnabled(flags, "stat"));
  CHECK_FALSE(IsEnabled(flags, "cpu"));
  CHECK_FALSE(IsEnabled(flags, "nope"));
}
