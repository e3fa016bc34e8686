#include "exporters/uptime_probe/yaml_tree.h"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "common/base/strings.h"

namespace millrace::uptime_probe {
namespace {

constexpr int kMaxDepth = 100;
/// Aliases are visited once for each use, so a small file can be a large tree.
constexpr std::size_t kMaxNodes = 1'000'000;

class Normalizer {
 public:
  Status Run(YAML::Node node, int depth) {
    if (depth > kMaxDepth || ++nodes_ > kMaxNodes)
      return Fail(ErrorCode::kParse, "yaml: nested too deeply or too large");
    if (node.IsScalar()) return Binary(node);
    if (node.IsSequence()) {
      for (auto item : node) MILLRACE_TRY(Run(item, depth + 1));
    } else if (node.IsMap()) {
      MILLRACE_TRY(RefuseRepeats(node));
      MILLRACE_TRY(Merge(node));
      for (auto item : node) MILLRACE_TRY(Run(item.second, depth + 1));
    }
    return {};
  }

 private:
  static Status Binary(YAML::Node& node) {
    if (node.Tag() != "tag:yaml.org,2002:binary") return {};
    std::string compact;
    for (const char c : node.Scalar())
      if (c != '\n' && c != '\r' && c != ' ' && c != '\t') compact += c;
    auto bytes = Base64Decode(compact);
    if (!bytes)
      return Fail(ErrorCode::kParse,
                  fmt::format("yaml: line {}: !!binary value contains invalid base64 data",
                              node.Mark().line + 1));
    node = *bytes;
    return {};
  }

  static Status RefuseRepeats(const YAML::Node& map) {
    std::vector<std::pair<std::string_view, int>> keys;
    for (const auto& item : map) {
      if (!item.first.IsScalar())
        return Fail(ErrorCode::kParse, fmt::format("yaml: line {}: a key must be a plain word",
                                                   item.first.Mark().line + 1));
      keys.emplace_back(item.first.Scalar(), item.first.Mark().line + 1);
    }
    std::sort(keys.begin(), keys.end());
    for (std::size_t i = 1; i < keys.size(); ++i)
      if (keys[i].first == keys[i - 1].first)
        return Fail(ErrorCode::kParse,
                    fmt::format("yaml: line {}: mapping key \"{}\" already defined at line {}",
                                keys[i].second, keys[i].first, keys[i - 1].second));
    return {};
  }

  /// Keys of the map itself win, then those of the earlier merged map.
  Status Merge(YAML::Node& map) {
    const YAML::Node source = static_cast<const YAML::Node&>(map)["<<"];
    if (!source.IsDefined()) return {};
    std::vector<YAML::Node> sources;
    if (source.IsSequence()) {
      for (const auto& item : source) sources.push_back(item);
    } else {
      sources.push_back(source);
    }
    // Built anew: with yaml-cpp a node that is assigned to keeps being shared with its anchor.
    YAML::Node merged(YAML::NodeType::Map);
    for (const auto& item : map)
      if (item.first.Scalar() != "<<") merged.force_insert(item.first, item.second);
    for (YAML::Node& from : sources) {
      if (!from.IsMap())
        return Fail(
            ErrorCode::kParse,
            fmt::format("yaml: line {}: map merge requires map or sequence of maps as the value",
                        source.Mark().line + 1));
      if (++merges_ > 10'000) return Fail(ErrorCode::kParse, "yaml: too many merges");
      MILLRACE_TRY(Merge(from));
      for (const auto& item : from) {
        if (!item.first.IsScalar()) continue;
        if (!static_cast<const YAML::Node&>(merged)[item.first.Scalar()].IsDefined())
          merged.force_insert(item.first, item.second);
      }
    }
    map = merged;
    return {};
  }

  std::size_t nodes_ = 0, merges_ = 0;
};

/// Log filters and alerts look for the original's words, so the common faults use them.
std::string SyntaxFault(const YAML::ParserException& e) {
  const bool scanner = e.msg.find("unknown token") != std::string::npos ||
                       e.msg.find("illegal tab") != std::string::npos;
  if (scanner)
    return fmt::format("yaml: line {}: found character that cannot start any token",
                       e.mark.line + 1);
  if (e.msg.find("end of sequence flow not found") != std::string::npos)
    return fmt::format("yaml: line {}: did not find expected node content",
                       std::max(1, e.mark.line));
  return fmt::format("yaml: line {}: {}", e.mark.line + 1, e.msg);
}

}  // namespace

Result<YAML::Node> LoadYamlTree(const std::string& text) {
  // yaml-cpp recurses once a level; a hostile text must not use up the stack or quadratic time.
  if (std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; }) >
      100'000)
    return Fail(ErrorCode::kParse, "yaml: too many brackets");
  try {
    YAML::Node root = YAML::Load(text);
    if (!root.IsDefined() || root.IsNull()) {
      const bool only_blank = std::all_of(text.begin(), text.end(), [](unsigned char c) {
        return c == ' ' || c == '\n' || c == '\r' || c == '\t';
      });
      if (only_blank) return Fail(ErrorCode::kParse, "EOF");
    }
    MILLRACE_TRY(Normalizer().Run(root, 0));
    return root;
  } catch (const YAML::ParserException& e) {
    return Fail(ErrorCode::kParse, SyntaxFault(e));
  } catch (const YAML::Exception& e) {
    return Fail(ErrorCode::kParse, fmt::format("yaml: line {}: {}", e.mark.line + 1, e.msg));
  }
}

}  // namespace millrace::uptime_probe
