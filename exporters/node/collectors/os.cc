#include <array>
#include <ctime>
#include <string>

#include <sys/stat.h>

#include "exporters/node/collector.h"
#include "exporters/node/files.h"
#include "exporters/node/scan.h"

namespace millrace::node {
namespace {

enum Key : unsigned char {
  kBuildId,
  kId,
  kIdLike,
  kImageId,
  kImageVersion,
  kName,
  kPrettyName,
  kVariant,
  kVariantId,
  kVersion,
  kVersionCodename,
  kVersionId,
  kSupportEnd,
  kKeys
};
constexpr std::array<std::string_view, kKeys> kNames = {
    "BUILD_ID",    "ID",      "ID_LIKE",    "IMAGE_ID", "IMAGE_VERSION",    "NAME",
    "PRETTY_NAME", "VARIANT", "VARIANT_ID", "VERSION",  "VERSION_CODENAME", "VERSION_ID",
    "SUPPORT_END"};
constexpr std::array<std::string_view, kSupportEnd> kLabelNames = {
    "build_id",    "id",      "id_like",    "image_id", "image_version",    "name",
    "pretty_name", "variant", "variant_id", "version",  "version_codename", "version_id"};

// The shell's quoting, as os-release(5) allows it.
std::string Unquote(std::string_view text) {
  std::string out;
  char quote = '\0';
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote == '\0' && (c == '"' || c == '\'')) {
      quote = c;
    } else if (c == quote) {
      quote = '\0';
    } else if (c == '\\' && quote != '\'' && i + 1 < text.size()) {
      out += text[++i];
    } else if (c == '#' && quote == '\0' && i > 0 && text[i - 1] == ' ') {
      break;
    } else {
      out += c;
    }
  }
  return quote == '\0' && text.find_first_of("\"'") != 0 ? std::string(Trim(out)) : out;
}

class Os : public Collector {
 public:
  explicit Os(const Context& context)
      : paths_{context.paths.Rootfs("etc/os-release"), context.paths.Rootfs("usr/lib/os-release")} {
  }

  Status Collect(MetricWriter& out) override {
    MILLRACE_TRY(Load());
    std::array<Label, kSupportEnd> labels;
    for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = {kLabelNames[i], values_[i]};
    out.Family("node_os_info", kGauge, "Always 1; what os-release says.");
    out.Sample(labels, 1);
    if (version_ > 0) {
      out.Family("node_os_version", kGauge, "Major and minor version of the system, as a number.");
      out.Sample({{"id", values_[kId]}, {"id_like", values_[kIdLike]}, {"name", values_[kName]}},
                 version_);
    }
    if (!values_[kSupportEnd].empty())
      out.Gauge("node_os_support_end_timestamp_seconds", "When support of the system ends.",
                support_end_);
    return {};
  }

 private:
  // Parsed anew only when the file is another one or was changed.
  Status Load() {
    for (const std::string& path : paths_) {
      struct stat s{};
      if (::stat(path.c_str(), &s) != 0) continue;
      if (loaded_ && s.st_ino == inode_ && s.st_mtim.tv_sec == changed_.tv_sec &&
          s.st_mtim.tv_nsec == changed_.tv_nsec)
        return {};
      loaded_ = false;
      MILLRACE_ASSIGN(const std::string_view text, files_.Read(path));
      MILLRACE_TRY(Parse(path, text));
      inode_ = s.st_ino;
      changed_ = s.st_mtim;
      loaded_ = true;
      return {};
    }
    return NoData("no os-release");
  }

  Status Parse(const std::string& path, std::string_view rest) {
    for (std::string& value : values_) value.clear();
    std::string_view line;
    while (NextLine(rest, line)) {
      std::string_view text = Trim(line);
      if (text.empty() || text[0] == '#') continue;
      if (text.find('=') == std::string_view::npos) return BadContent(path, "line", line);
      const std::string_view key = Trim(NextPiece(text, '='));
      for (std::size_t i = 0; i < kKeys; ++i)
        if (kNames[i] == key) values_[i] = Unquote(Trim(text));
    }
    const std::string& version = values_[kVersionId];
    auto end = std::min(version.find_first_not_of("0123456789"), version.size());
    if (end > 0 && end < version.size() && version[end] == '.')
      end = std::min(version.find_first_not_of("0123456789", end + 1), version.size());
    version_ = ParseNumber<double>(std::string_view(version).substr(0, end)).value_or(0);
    if (values_[kSupportEnd].empty()) return {};
    std::tm tm{};
    const char* parsed = ::strptime(values_[kSupportEnd].c_str(), "%Y-%m-%d", &tm);
    if (parsed == nullptr || *parsed != '\0')
      return BadContent(path, "SUPPORT_END", values_[kSupportEnd]);
    support_end_ = static_cast<double>(::timegm(&tm));
    return {};
  }

  const std::array<std::string, 2> paths_;
  FileReader files_;
  std::array<std::string, kKeys> values_;
  double version_ = 0, support_end_ = 0;
  bool loaded_ = false;
  ino_t inode_ = 0;
  timespec changed_{};
};

}  // namespace

MILLRACE_COLLECTOR(Os) = {"os", true, "Name and version of the system", nullptr,
                          &MakeCollector<Os>};

}  // namespace millrace::node
