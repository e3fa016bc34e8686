// The compiler of expressions on any text, and what it accepts on an event.
#include <cstdint>
#include <string_view>

#include "agent/route/expression.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace millrace::agent;
  const auto compiled = Expression::Compile({reinterpret_cast<const char*>(data), size});
  if (!compiled) return 0;
  EventBatch batch;
  batch.Begin(0, 1'700'000'000'000'000'000);
  batch.Append(Field::String("a", "text"));
  batch.Append(Field::Int("b", 7));
  batch.Append(Field::String("c", R"({"d":[1,"x\ny",{"e":null}]})", Type::kRawJson));
  batch.Append(Field::String("d", R"(\u00e9\n)", Type::kJsonString));
  batch.Append(Field::String("e", "-1.5e3", Type::kRawJson));
  static_cast<void>(compiled->Evaluate(batch, batch.event(0)));
  return 0;
}
