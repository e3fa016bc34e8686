#include "agent/core/event.h"

#include <memory>

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

struct Probe final : AckToken {
  explicit Probe(int* out) : out_(out) {}
  ~Probe() override { *out_ = delivered() ? 1 : 0; }
  int* out_;
};

std::string Show(const EventBatch& b, std::size_t i) {
  std::string out;
  ForEachField(b, b.event(i), [&](const Field& f) {
    out += std::string(f.name()) + "=" +
           (f.is_text() ? std::string(f.text()) : std::to_string(f.i64)) + " ";
  });
  return out;
}

std::unique_ptr<EventBatch> Two() {
  auto b = std::make_unique<EventBatch>();
  b->AddCommon(Field::String("host", "h1"));
  b->Begin(0, 1);
  b->Append(Field::String("message", "one"));
  b->Begin(4, 2);
  b->Append(Field::String("message", "two"));
  b->Append(Field::Int("n", 7));
  return b;
}

TEST_CASE("fields are set, found, renamed and removed in place and in order") {
  auto b = Two();
  b->Set(0, Field::Int("n", 1));
  b->Set(0, Field::Int("m", 2));
  b->Set(1, Field::String("message", "zwei"));
  CHECK(Show(*b, 0) == "message=one n=1 m=2 host=h1 ");
  CHECK(Show(*b, 1) == "message=zwei n=7 host=h1 ");
  CHECK(b->Rename(0, "n", "k"));
  CHECK(b->Remove(0, "message"));
  CHECK_FALSE(b->Remove(0, "message"));
  CHECK(Show(*b, 0) == "k=1 m=2 host=h1 ");
  CHECK(b->Find(0, "host")->text() == "h1");
}

TEST_CASE("a common field is hidden for one event only") {
  auto b = Two();
  CHECK(b->Remove(0, "host"));
  CHECK(b->Find(0, "host") == nullptr);
  CHECK(Show(*b, 1) == "message=two n=7 host=h1 ");
  CHECK(b->Rename(1, "host", "node"));
  CHECK(Show(*b, 1) == "message=two n=7 node=h1 ");
  b->Set(0, Field::String("host", "h2"));
  CHECK(Show(*b, 0) == "message=one host=h2 ");
  b->FlattenCommon();
  CHECK(Show(*b, 1) == "message=two n=7 node=h1 ");
}

TEST_CASE("changing a field of the verbatim object gives up the object text") {
  auto b = Two();
  b->event(1).object = "{}";
  b->event(1).object_fields = 1;
  b->Set(1, Field::Int("n", 8));
  CHECK(b->event(1).object != nullptr);
  b->Set(1, Field::Int("message", 8));
  CHECK(b->event(1).object == nullptr);
}

TEST_CASE("dropped events are swept, forks are independent") {
  auto b = Two();
  const std::uint32_t second[] = {1};
  auto f = b->Fork(second);
  b->Drop(0);
  b->Sweep();
  REQUIRE(b->size() == 1);
  f->Set(0, Field::Int("n", 9));
  CHECK(Show(*b, 0) == "message=two n=7 host=h1 ");
  CHECK(Show(*f, 0) == "message=two n=9 host=h1 ");
  CHECK(b->IdOf(b->event(0)) == f->IdOf(f->event(0)));
}

TEST_CASE("a token reports delivered only when every holder settled") {
  for (const bool all : {true, false}) {
    int result = -1;
    {
      auto b = Two();
      b->acks.push_back(std::make_shared<Probe>(&result));
      auto fork = b->Fork({});
      std::shared_ptr<EventBatch> first = std::move(b), second = std::move(fork);
      BatchView x(first), y(second), lazy(first, false);
      first->Routed();
      second->Routed();
      first.reset();
      second.reset();
      x.Delivered();
      CHECK(result == -1);
      if (all) y.Delivered();
    }
    CHECK(result == (all ? 1 : 0));
  }
}

TEST_CASE("a batch that vanishes before it was routed is not delivered") {
  int result = -1;
  Two()->acks.push_back(std::make_shared<Probe>(&result));
  CHECK(result == 0);
}

TEST_CASE("identities differ by stream, position and part") {
  auto b = Two();
  b->stream = HashStream("file:1:2");
  const EventId a = b->IdOf(b->event(0)), c = b->IdOf(b->event(1));
  CHECK_FALSE(a == c);
  b->event(1).position = 0;
  CHECK(b->IdOf(b->event(1)) == a);
  b->event(1).part = 1;
  CHECK_FALSE(b->IdOf(b->event(1)) == a);
  CHECK(ToHex(a).size() == 32);
}

}  // namespace
}  // namespace millrace::agent
