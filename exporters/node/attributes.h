#pragma once
// Directories of sysfs whose files hold one number each: a table says which metric each becomes.
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"

namespace millrace::node {

struct NumberFile {
  std::string_view file;  ///< Below the directory; may contain slashes.
  Metric metric;
  double factor = 1;
};

/// Emits the files that exist. One that cannot be read is left out, one that holds no number is an
/// error. `path` is a buffer to reuse.
[[nodiscard]] Status EmitNumberFiles(FileReader& files, std::string& path,
                                     std::string_view directory, std::span<const NumberFile> table,
                                     std::initializer_list<Label> labels, MetricWriter& out);

/// One sample of a family that may be open already.
inline void Emit(MetricWriter& out, const Metric& metric, std::initializer_list<Label> labels,
                 double value) {
  out.Family(metric);
  out.Sample(labels, value);
}

/// The text of a file, or "" when it cannot be read: for labels of *_info metrics.
[[nodiscard]] std::string TextOf(FileReader& files, std::string& path, std::string_view directory,
                                 std::string_view file);

}  // namespace millrace::node
