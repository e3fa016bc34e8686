#include <algorithm>
#include <map>
#include <string>
#include <unordered_set>
#include <vector>

#include <glob.h>
#include <sys/stat.h>

#include "common/exposition/text_parser.h"
#include "common/log/log.h"
#include "exporters/node/collector.h"
#include "exporters/node/files.h"

namespace millrace::node {
namespace {

using exposition::ParsedFamily;
using exposition::ParsedSeries;

struct File {
  std::string path;
  double changed = 0;
  std::vector<ParsedFamily> families;
};

/// A file is served as a whole or not at all: half of a job's metrics would look like its result.
/// The log names the file and the line, node_textfile_scrape_error is 1, other files are served.
class Textfile : public Collector {
 public:
  explicit Textfile(const Context& context)
      : patterns_(context.flags.GetList("collector.textfile.directory")) {}

  Status Collect(MetricWriter& out) override {
    failed_ = false;
    files_.clear();
    known_.clear();
    series_.clear();
    for (const std::string& pattern : patterns_)
      for (const std::string& directory : Expand(pattern)) ReadDirectory(directory);
    for (const File& file : files_) Announce(file);
    for (const File& file : files_)
      for (const ParsedFamily& family : file.families) Write(out, family);
    out.Family("node_textfile_mtime_seconds", kGauge,
               "When a textfile that was read last changed.");
    for (const File& file : files_) out.Sample({{"file", file.path}}, file.changed);
    out.Gauge("node_textfile_scrape_error", "1 when a textfile or a directory could not be read.",
              failed_ ? 1 : 0);
    return {};
  }

 private:
  struct Known {
    std::string help;
    bool has_help = false;
    std::string files;  // for families without HELP
  };

  static std::vector<std::string> Expand(const std::string& pattern) {
    std::vector<std::string> paths;
    if (pattern.empty()) return paths;
    glob_t found{};
    if (::glob(pattern.c_str(), 0, nullptr, &found) == 0)
      for (std::size_t i = 0; i < found.gl_pathc; ++i) paths.emplace_back(found.gl_pathv[i]);
    ::globfree(&found);
    if (paths.empty()) paths.push_back(pattern);
    return paths;
  }

  void Failed(std::string_view message, std::string_view path, const Error& error) {
    failed_ = true;
    log::Error(message, {{"file", path}, {"error", error}});
  }

  void ReadDirectory(const std::string& directory) {
    if (const auto s = names_.Read(directory); !s) {
      Failed("Cannot read a textfile directory", directory, s.error());
      return;
    }
    for (const std::string_view name : names_) {
      if (!name.ends_with(".prom")) continue;
      File file;
      JoinPath(file.path, {directory, name});
      if (const auto s = ReadFile(file); !s) {
        Failed("A textfile is left out", file.path, s.error());
      } else {
        files_.push_back(std::move(file));
      }
    }
  }

  Status ReadFile(File& file) {
    MILLRACE_ASSIGN(const std::string_view text, reader_.Read(file.path));
    MILLRACE_ASSIGN(file.families, exposition::ParseText(text));
    struct stat s{};
    if (::stat(file.path.c_str(), &s) != 0) return FailErrno("stat", errno);
    file.changed = static_cast<double>(s.st_mtim.tv_sec);
    return {};
  }

  void Announce(const File& file) {
    for (const ParsedFamily& family : file.families) {
      Known& known = known_[family.name];
      known.files += (known.files.empty() ? "" : ", ") + file.path;
      if (!family.has_help) continue;
      if (!known.has_help) {
        known.help = family.help;
        known.has_help = true;
      } else if (known.help != family.help) {
        failed_ = true;
        log::Error("Textfiles disagree on the help of a metric; the first one counts",
                   {{"metric", family.name}, {"file", file.path}});
      }
    }
  }

  void Write(MetricWriter& out, const ParsedFamily& family) {
    const Known& known = known_[family.name];
    // A family whose help contradicts an earlier one is left out, as the original does.
    if (family.has_help && known.help != family.help) return;
    out.Family(family.name, family.type,
               known.has_help ? known.help : "Metric read from " + known.files);
    label_names_.clear();
    for (const ParsedSeries& s : family.series)
      for (const auto& label : s.labels) label_names_.push_back(label.first);
    std::sort(label_names_.begin(), label_names_.end());
    label_names_.erase(std::unique(label_names_.begin(), label_names_.end()), label_names_.end());
    for (const ParsedSeries& s : family.series) {
      Fill(s);
      if (Repeated(family.name)) continue;
      switch (family.type) {
        case MetricType::kHistogram:
          out.Histogram(labels_, s.points, s.sum, s.count);
          break;
        case MetricType::kSummary:
          out.Summary(labels_, s.points, s.sum, s.count);
          break;
        default:
          out.Sample(labels_, s.value);
      }
    }
  }

  // All series of a family get the same label names; what a series lacks is empty.
  void Fill(const ParsedSeries& s) {
    labels_.clear();
    auto own = s.labels.begin();
    for (const std::string_view name : label_names_) {
      if (own != s.labels.end() && own->first == name) {
        labels_.push_back({name, own->second});
        ++own;
      } else {
        labels_.push_back({name, ""});
      }
    }
  }

  bool Repeated(std::string_view name) {
    key_.assign(name);
    for (const Label& l : labels_)  // an empty label is the same as none
      if (!l.value.empty()) key_.append("\xff").append(l.name).append("\xff").append(l.value);
    if (series_.insert(key_).second) return false;
    if (!failed_)
      log::Error("A series is in textfiles twice; the first one counts", {{"metric", name}});
    failed_ = true;
    return true;
  }

  const std::vector<std::string> patterns_;
  FileReader reader_;
  DirList names_;
  bool failed_ = false;
  std::vector<File> files_;
  std::map<std::string, Known, std::less<>> known_;
  std::unordered_set<std::string> series_;
  std::vector<std::string_view> label_names_;
  std::vector<Label> labels_;
  std::string key_;
};

void Declare(FlagSet& flags) {
  flags.List("collector.textfile.directory", {},
             "Directory with *.prom files in the text format; may hold wildcards and be repeated.");
}

}  // namespace

MILLRACE_COLLECTOR(Textfile) = {"textfile", true, "Metrics from files that other programs write",
                                &Declare, &MakeCollector<Textfile>};

}  // namespace millrace::node
