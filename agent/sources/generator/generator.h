#pragma once
// Source `generator`: realistic log lines out of nothing, for the demonstration, tests and
// benchmarks. Seeded: the same options give the same lines.
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "agent/core/component.h"
#include "common/config/visitor.h"

namespace millrace::agent {

enum class GeneratorFormat : unsigned char { kNginx, kJson, kLogfmt, kSyslog, kMixed, kLines };

struct GeneratorConfig {
  GeneratorFormat format = GeneratorFormat::kMixed;
  std::vector<std::string> lines;
  std::uint64_t count = 0;
  double rate = 0;
  std::uint64_t seed = 1;
};
void Visit(config::Visitor& v, GeneratorConfig& c);
[[nodiscard]] Result<std::unique_ptr<Source>> MakeGenerator(const GeneratorConfig& config,
                                                            const Context& context);

/// Appends line `n` of the sequence, without newline. `time_ns` is the time it carries.
class LineGenerator {
 public:
  LineGenerator(GeneratorFormat format, std::uint64_t seed, std::vector<std::string> lines = {});
  void Append(std::uint64_t n, std::int64_t time_ns, std::string& out);

 private:
  std::uint64_t Random();
  void AppendNginx(std::uint64_t n, std::int64_t time_ns, std::string& out);
  void AppendJson(std::uint64_t n, std::int64_t time_ns, std::string& out);
  void AppendLogfmt(std::uint64_t n, std::int64_t time_ns, std::string& out);
  void AppendSyslog(std::uint64_t n, std::int64_t time_ns, std::string& out);

  GeneratorFormat format_;
  std::uint64_t state_;
  std::vector<std::string> lines_;
};

}  // namespace millrace::agent
