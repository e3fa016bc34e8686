#pragma once
// Runs a transform made from YAML over lines and shows what comes out.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/core/component.h"
#include "agent/core/registry.h"

namespace millrace::agent {

struct Made {
  std::unique_ptr<Transform> transform;
  std::string problems;  ///< If it could not be made.
  std::vector<std::string> outputs;
};

/// The transform that `yaml` (a mapping with `type`) describes.
Made MakeTransform(std::string_view yaml);

/// A batch of one event a line, each with the field `message`.
std::unique_ptr<EventBatch> Lines(const std::vector<std::string>& lines);
/// A batch of events whose own fields are the members of JSON objects.
std::unique_ptr<EventBatch> Objects(const std::vector<std::string>& objects);

/// "output:json" of each event ("output:" only where it is not 0).
std::vector<std::string> Show(EventBatch& batch);

/// Made, applied and swept.
std::vector<std::string> RunLines(std::string_view yaml, const std::vector<std::string>& lines);
std::vector<std::string> RunObjects(std::string_view yaml, const std::vector<std::string>& objects);

/// The value of a counter of the transforms made so far, summed over its labels.
double Counted(std::string_view name, std::string_view label_value);

}  // namespace millrace::agent
