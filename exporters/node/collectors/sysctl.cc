#include <vector>

#include "exporters/node/attributes.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

/// One --collector.sysctl.include: "kernel.threads-max" or "fs.file-nr:total,current,max".
struct Wanted {
  std::string name, file;         ///< "fs.file-nr", "fs/file-nr"
  std::string metric, help;       ///< "node_sysctl_fs_file_nr"
  std::vector<std::string> keys;  ///< Of each value; empty = by index.
  bool numeric = true;
};

/// Bytes that a metric name may not have become '_'.
std::string Sanitized(std::string_view name) {
  std::string out(name);
  for (char& c : out)
    if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'))
      c = '_';
  return out;
}

Wanted ParseWanted(std::string_view text, bool numeric) {
  Wanted w;
  const bool keyed = text.find(':') != std::string_view::npos;
  w.name = NextPiece(text, ':');
  w.file = w.name;
  std::replace(w.file.begin(), w.file.end(), '.', '/');
  w.metric = "node_sysctl_" + Sanitized(w.name);
  w.help = "sysctl " + w.name;
  w.numeric = numeric;
  if (keyed)
    for (const std::string_view key : Split(text, ',')) w.keys.emplace_back(key);
  return w;
}

class Sysctl : public Collector {
 public:
  Sysctl(const Context& context, std::vector<Wanted> wanted)
      : root_(context.paths.Proc("sys")), wanted_(std::move(wanted)) {}

  Status Collect(MetricWriter& out) override {
    for (const Wanted& w : wanted_) {
      MILLRACE_ASSIGN(std::string_view rest, files_.Read(JoinPath(path_, {root_, w.file})));
      values_.clear();
      for (auto word = NextWord(rest); !word.empty(); word = NextWord(rest))
        values_.push_back(word);
      MILLRACE_TRY(w.numeric ? EmitNumbers(w, out) : EmitTexts(w, out));
    }
    return {};
  }

 private:
  Status EmitNumbers(const Wanted& w, MetricWriter& out) {
    const bool fits =
        values_.size() == 1 ? w.keys.empty() : w.keys.empty() || w.keys.size() == values_.size();
    if (values_.empty() || !fits)
      return Fail(ErrorCode::kInvalidArgument,
                  "sysctl " + w.name + " has " + std::to_string(values_.size()) +
                      " values, but the flag names " + std::to_string(w.keys.size()));
    for (std::size_t i = 0; i < values_.size(); ++i) {
      const auto value = ParseNumber<std::int64_t>(values_[i]);
      if (!value) return BadContent(path_, "number", values_[i]);
      const auto number = static_cast<double>(*value);
      if (!w.keys.empty()) {
        out.Family(w.metric + "_" + w.keys[i], kUntyped, w.help + ", one of its values");
        out.Sample(number);
      } else {
        out.Family(w.metric, kUntyped, w.help);
        if (values_.size() == 1)
          out.Sample(number);
        else
          out.Sample({{"index", NumberText(i).view()}}, number);
      }
    }
    return {};
  }

  Status EmitTexts(const Wanted& w, MetricWriter& out) {
    if (values_.empty() || !w.keys.empty())
      return Fail(ErrorCode::kInvalidArgument,
                  "sysctl " + w.name + ": an info sysctl needs a value and takes no names");
    for (std::size_t i = 0; i < values_.size(); ++i)
      Emit(out, {"node_sysctl_info", kGauge, "Always 1; a sysctl whose value is text."},
           {{"index", NumberText(i).view()}, {"name", w.name}, {"value", values_[i]}}, 1);
    return {};
  }

  const std::string root_;
  const std::vector<Wanted> wanted_;
  FileReader files_;
  std::string path_;
  std::vector<std::string_view> values_;
};

void Declare(FlagSet& flags) {
  flags.List("collector.sysctl.include", {},
             "Numeric sysctl to export: NAME or NAME:KEY,KEY... for several values. Repeatable.");
  flags.List("collector.sysctl.include-info", {},
             "Sysctl to export as a label of node_sysctl_info. Repeatable.");
}

Result<std::unique_ptr<Collector>> Make(const Context& context) {
  std::vector<Wanted> wanted;
  for (const auto& text : context.flags.GetList("collector.sysctl.include"))
    wanted.push_back(ParseWanted(text, true));
  for (const auto& text : context.flags.GetList("collector.sysctl.include-info"))
    wanted.push_back(ParseWanted(text, false));
  return std::make_unique<Sysctl>(context, std::move(wanted));
}

}  // namespace

MILLRACE_COLLECTOR(Sysctl) = {"sysctl", false, "Chosen sysctls", &Declare, &Make};

}  // namespace millrace::node
