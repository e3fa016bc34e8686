#include "agent/sources/kafka/partition.h"

#include <vector>

#include "agent/kafka/event_id.h"
#include "tests/support/catch.h"

namespace millrace::agent::kafka {
namespace {

const FieldNames kNames{"message_key", "topic", "partition", "offset", "headers"};

Message At(std::int64_t offset, std::string_view payload = "x") {
  Message m;
  m.offset = offset;
  m.timestamp_ms = 1'700'000'000'000;
  m.payload = payload;
  return m;
}

/// As the topology and a sink would: sealed, viewed, and delivered later.
BatchView Seal(std::unique_ptr<EventBatch> batch) {
  EventBatch& b = *batch;
  BatchView view(std::shared_ptr<const EventBatch>(std::move(batch)));
  b.Routed();
  return view;
}

TEST_CASE("only the lowest unacknowledged offset may be committed") {
  Partition p("c", "t", 3, kNames);
  CHECK(p.Committable() == -1);
  std::vector<BatchView> views;
  for (std::int64_t offset : {100, 101, 105}) {
    p.Add(At(offset));
    views.push_back(Seal(p.Take()));
  }
  CHECK(p.Committable() == 100);
  CHECK(p.InFlight() == 3);
  views[2].Delivered();
  views[1].Delivered();
  CHECK(p.Committable() == 100);
  CHECK(p.InFlight() == 1);
  views[0].Delivered();
  CHECK(p.Committable() == 106);
}

TEST_CASE("what a sink gave up is not committed") {
  Partition p("c", "t", 3, kNames);
  p.Add(At(1));
  BatchView lost = Seal(p.Take());
  p.Add(At(2));
  BatchView kept = Seal(p.Take());
  lost = BatchView();
  kept.Delivered();
  CHECK(p.InFlight() == 0);
  CHECK(p.Committable() == 1);
}

TEST_CASE("the end of an idle partition and gaps in it may be committed") {
  Partition p("c", "t", 3, kNames);
  p.AtEnd(40);
  CHECK(p.Committable() == 40);
  p.Add(At(41));
  BatchView view = Seal(p.Take());
  p.AtEnd(43);  // A transaction's mark stands at 42.
  CHECK(p.Committable() == 40);
  view.Delivered();
  CHECK(p.Committable() == 43);
}

TEST_CASE("messages that are read again do not commit what is still under way") {
  Partition p("c", "t", 3, kNames);
  p.Add(At(10));
  BatchView first = Seal(p.Take());
  p.Add(At(11));
  BatchView second = Seal(p.Take());
  p.Add(At(11));
  BatchView again = Seal(p.Take());
  again.Delivered();
  CHECK(p.Committable() == 10);
  first.Delivered();
  CHECK(p.Committable() == 11);
  second.Delivered();
  CHECK(p.Committable() == 12);
}

TEST_CASE("late acknowledgements of a revoked partition move nothing") {
  BatchView late;
  {
    Partition before("c", "t", 3, kNames);
    before.Add(At(10));
    late = Seal(before.Take());
  }
  Partition after("c", "t", 3, kNames);
  after.Add(At(10));
  const BatchView open = Seal(after.Take());
  late.Delivered();
  CHECK(after.Committable() == 10);
  CHECK(after.InFlight() == 1);
}

TEST_CASE("a message becomes an event with where it came from") {
  Partition p("c", "t", 3, kNames);
  Message m = At(7, "line");
  m.key = "k";
  const std::vector<Header> headers = {
      {"a", "1"}, {"b\"", "\xff"}, {"a", "2"}, {"millrace-id", "nonsense"}};
  m.headers = headers;
  p.Add(m);
  p.Add(At(8, std::string_view(nullptr, 0)));
  const auto batch = p.Take();
  const Event& e = batch->event(0);
  CHECK(e.time_ns == 1'700'000'000'000'000'000);
  CHECK(e.position == 7);
  CHECK(batch->Find(e, "message")->text() == "line");
  CHECK(batch->Find(e, "message_key")->text() == "k");
  CHECK(batch->Find(e, "topic")->text() == "t");
  CHECK(batch->Find(e, "partition")->i64 == 3);
  CHECK(batch->Find(e, "offset")->i64 == 7);
  CHECK(batch->Find(e, "source_type")->text() == "kafka");
  CHECK(batch->Find(e, "headers")->text() == "{\"a\":[\"1\",\"2\"],\"b\\\"\":[\"\xef\xbf\xbd\"]}");
  CHECK(batch->IdOf(e) == IdOfMessage(p.stream(), 7, 1'700'000'000'000));
  CHECK(batch->Find(1, "message")->type == Type::kNull);
  CHECK(batch->Find(1, "message_key") == nullptr);
  CHECK(batch->Find(1, "headers") == nullptr);
}

TEST_CASE("an id in the header is the event's id, whatever the offset") {
  const EventId id = IdAt(HashStream("file:x"), 4096);
  const std::string plain = ToHex(id);
  const std::string parts = ToHex(HashStream("file:x")) + "-4096";
  Partition p("c", "t", 3, kNames);
  for (const std::string& value : {plain, parts}) {
    const Header header{kIdHeader, value};
    Message m = At(p.has_open() ? 90 : 80);
    m.headers = {&header, 1};
    p.Add(m);
  }
  const auto batch = p.Take();
  CHECK(batch->IdOf(batch->event(0)) == id);
  CHECK(batch->IdOf(batch->event(1)) == id);
  CHECK(batch->Find(0, "headers") == nullptr);
}

TEST_CASE("a batch is bounded in events and in bytes") {
  Partition p("c", "t", 3, kNames);
  for (std::size_t i = 0; i < Partition::kMaxEvents; ++i) {
    REQUIRE_FALSE(p.full());
    p.Add(At(static_cast<std::int64_t>(i)));
  }
  CHECK(p.full());
  CHECK(p.Take()->size() == Partition::kMaxEvents);
  p.Add(At(9999, std::string(Partition::kMaxBytes, 'x')));
  CHECK(p.full());
}

}  // namespace
}  // namespace millrace::agent::kafka
