#pragma once
// The page at "/": the name of the program and links to what it serves.
#include <string>
#include <string_view>
#include <vector>

#include "common/http/server.h"

namespace millrace::http {

struct LandingLink {
  std::string address, text, description;
};
struct LandingPage {
  std::string name;         ///< "Node Exporter"
  std::string description;  ///< "Prometheus Node Exporter"
  std::string version;
  std::vector<LandingLink> links;
};

/// Text with &, <, >, " and ' made harmless for HTML.
[[nodiscard]] std::string EscapeHtml(std::string_view text);
[[nodiscard]] std::string RenderLandingPage(const LandingPage& page);
/// Serves the page at exactly "/".
void AddLandingPage(Routes& routes, const LandingPage& page);

}  // namespace millrace::http
