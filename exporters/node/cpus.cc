#include "exporters/node/cpus.h"

#include <algorithm>

#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

constexpr unsigned kMaxCpu = 65535;

}  // namespace

Result<std::vector<unsigned>> ParseCpuList(std::string_view text) {
  std::vector<unsigned> cpus;
  std::string_view rest = Trim(text);
  while (!rest.empty()) {
    std::string_view range = NextPiece(rest, ',');
    const auto first = ParseNumber<unsigned>(NextPiece(range, '-'));
    const auto last = range.empty() ? first : ParseNumber<unsigned>(range);
    if (!first || !last || *last > kMaxCpu)
      return Fail(ErrorCode::kParse, "bad list of processors \"" + Printable(text, 60) + "\"");
    for (unsigned cpu = *first; cpu <= *last; ++cpu) cpus.push_back(cpu);
  }
  return cpus;
}

const std::vector<CpuDirs::Cpu>& CpuDirs::Read(std::string_view root) {
  std::size_t count = 0;
  if (dir_.Read(root)) {
    for (const std::string_view name : dir_) {
      if (!name.starts_with("cpu")) continue;
      const auto number = ParseNumber<unsigned>(name.substr(3));
      if (!number) continue;
      if (count == cpus_.size()) cpus_.emplace_back();
      cpus_[count].number = *number;
      cpus_[count].name.assign(name);
      ++count;
    }
  }
  cpus_.resize(count);
  std::sort(cpus_.begin(), cpus_.end(),
            [](const Cpu& a, const Cpu& b) { return a.number < b.number; });
  return cpus_;
}

}  // namespace millrace::node
