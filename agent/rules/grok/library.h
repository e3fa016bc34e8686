#pragma once
// Named patterns that grok expressions are made of.
#include <map>
#include <string>
#include <string_view>

#include "common/base/result.h"

namespace millrace::agent {

/// Which field names the patterns of whole lines use.
enum class GrokNames : unsigned char {
  kLegacy,  ///< As Logstash before version 8: clientip, response, ...
  kEcs,     ///< Elastic Common Schema: [source][address], [http][response][status_code], ...
};

class PatternLibrary {
 public:
  /// The patterns that come with the agent.
  [[nodiscard]] static const PatternLibrary& BuiltIn(GrokNames names);

  /// Lines of `NAME pattern`; empty lines and those that start with "#" are skipped. A name that is
  /// there already gets the new pattern.
  Status AddText(std::string_view text);
  void Add(std::string_view name, std::string_view pattern);
  /// Null if there is none.
  [[nodiscard]] const std::string* Find(std::string_view name) const;
  [[nodiscard]] const std::map<std::string, std::string, std::less<>>& all() const {
    return patterns_;
  }

 private:
  std::map<std::string, std::string, std::less<>> patterns_;
};

}  // namespace millrace::agent
