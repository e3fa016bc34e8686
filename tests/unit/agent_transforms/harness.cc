#include "tests/unit/agent_transforms/harness.h"

#include <algorithm>

#include "agent/decode/json.h"
#include "agent/encode/encoder.h"
#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

MetricsRegistry& Registry() {
  static MetricsRegistry registry;
  return registry;
}

std::vector<std::string> Run(std::string_view yaml, EventBatch& batch) {
  Made made = MakeTransform(yaml);
  INFO(yaml);
  INFO(made.problems);
  REQUIRE(made.transform != nullptr);
  // A lane works on a clone.
  made.transform->Clone()->Apply(batch);
  batch.Sweep();
  return Show(batch);
}

}  // namespace

Made MakeTransform(std::string_view yaml) {
  Made made;
  config::Problems problems;
  const YAML::Node node = config::Parse(std::string(yaml), "test.yaml", problems);
  const std::string type = problems.empty() ? node["type"].as<std::string>() : "";
  for (const Entry<Transform>& entry : Transforms()) {
    if (entry.type != type) continue;
    std::unique_ptr<Plan<Transform>> plan;
    {
      config::Visitor visitor(node, "test.yaml", "t", problems);
      visitor.Ignore("type");
      plan = entry.read(visitor);
    }
    if (!problems.empty()) break;
    Context context;
    context.id = "t";
    context.metrics = std::make_shared<Metrics>(Registry(), "t", "transform", type);
    made.outputs = plan->outputs();
    auto transform = plan->Make(context);
    if (transform) {
      made.transform = std::move(*transform);
    } else {
      made.problems = transform.error().message;
    }
    return made;
  }
  made.problems = problems.Text();
  if (made.problems.empty()) made.problems = "no transform " + type;
  return made;
}

std::unique_ptr<EventBatch> Lines(const std::vector<std::string>& lines) {
  auto batch = std::make_unique<EventBatch>();
  batch->stream = HashStream("test");
  std::uint64_t position = 0;
  for (const std::string& line : lines) {
    batch->Begin(position, 0);
    batch->Append(Field::String("message", batch->arena.Copy(line)));
    position += line.size() + 1;
  }
  return batch;
}

std::unique_ptr<EventBatch> Objects(const std::vector<std::string>& objects) {
  auto batch = std::make_unique<EventBatch>();
  for (const std::string& text : objects) {
    Decoded decoded;
    REQUIRE(JsonDecoder({}).Decode(batch->arena.Copy(text), batch->arena, decoded) == nullptr);
    batch->Begin(0, 0);
    for (const Field& f : decoded.fields) batch->Append(f);
  }
  return batch;
}

std::vector<std::string> Show(EventBatch& batch) {
  auto encoder = MakeEncoder({});
  encoder->Start(batch);
  std::vector<std::string> out;
  for (const Event& e : batch.events()) {
    Buffer text;
    if (e.output != 0) text.Append(std::to_string(e.output) + ":");
    encoder->Append(e, text);
    out.emplace_back(text.view());
  }
  return out;
}

std::vector<std::string> RunLines(std::string_view yaml, const std::vector<std::string>& lines) {
  return Run(yaml, *Lines(lines));
}

std::vector<std::string> RunObjects(std::string_view yaml,
                                    const std::vector<std::string>& objects) {
  return Run(yaml, *Objects(objects));
}

double Counted(std::string_view name, std::string_view label_value) {
  double sum = 0;
  for (const MetricsRegistry::Sample& s : Registry().Samples()) {
    const bool labelled = std::any_of(s.labels.begin(), s.labels.end(),
                                      [&](const auto& l) { return l.second == label_value; });
    if (s.name.find(name) != std::string::npos && labelled) sum += s.value;
  }
  return sum;
}

}  // namespace millrace::agent
