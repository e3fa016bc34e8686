#include "exporters/node/attributes.h"

#include "exporters/node/scan.h"

namespace millrace::node {

Status EmitNumberFiles(FileReader& files, std::string& path, std::string_view directory,
                       std::span<const NumberFile> table, std::initializer_list<Label> labels,
                       MetricWriter& out) {
  for (const NumberFile& f : table) {
    const auto text = files.Try(JoinPath(path, {directory, f.file}));
    if (!text) continue;
    const auto value = ParseNumber<double>(*text);
    if (!value) return BadContent(path, "number", *text);
    Emit(out, f.metric, labels, *value * f.factor);
  }
  return {};
}

std::string TextOf(FileReader& files, std::string& path, std::string_view directory,
                   std::string_view file) {
  return std::string(files.Try(JoinPath(path, {directory, file})).value_or(""));
}

}  // namespace millrace::node
