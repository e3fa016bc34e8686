#include "common/exposition/negotiate.h"

#include <array>
#include <optional>
#include <utility>

#include "common/base/strings.h"

namespace millrace::exposition {
namespace {

constexpr std::array<std::string_view, 4> kEscapings = {"underscores", "dots", "values",
                                                        "allow-utf-8"};

// Calls visit(piece) for every trimmed piece between separators. Scrapers quote no separators.
template <class Visit>
void ForEachPiece(std::string_view s, char separator, Visit&& visit) {
  for (;;) {
    const auto at = s.find(separator);
    visit(Trim(s.substr(0, at)));
    if (at == std::string_view::npos) return;
    s.remove_prefix(at + 1);
  }
}

struct Offer {
  std::string_view name;  // "text/plain"
  double q = 1;
  std::string_view version, proto, encoding, escaping;
};

Offer ParseOffer(std::string_view text) {
  Offer o;
  bool first = true;
  ForEachPiece(text, ';', [&](std::string_view piece) {
    if (std::exchange(first, false)) {
      o.name = piece;
      return;
    }
    const auto eq = piece.find('=');
    if (eq == std::string_view::npos) return;
    const std::string_view key = Trim(piece.substr(0, eq));
    std::string_view value = Trim(piece.substr(eq + 1));
    if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
      value = value.substr(1, value.size() - 2);
    if (key == "q") o.q = ParseNumber<double>(value).value_or(0);
    if (key == "version") o.version = value;
    if (key == "proto") o.proto = value;
    if (key == "encoding") o.encoding = value;
    if (key == "escaping") o.escaping = value;
  });
  return o;
}

std::optional<Negotiated> Ours(const Offer& o) {
  Negotiated n;
  if (o.name == "application/vnd.google.protobuf" &&
      o.proto == "io.prometheus.client.MetricFamily" && o.encoding == "delimited") {
    n.format = Format::kProtobuf;
  } else if (o.name == "application/openmetrics-text" &&
             (o.version.empty() || o.version == "1.0.0" || o.version == "0.0.1")) {
    n.format = Format::kOpenMetrics;
    n.open_metrics_1 = o.version == "1.0.0";
  } else if (o.name != "text/plain" ||
             !(o.version.empty() || o.version == "0.0.4" || o.version == "1.0.0")) {
    return std::nullopt;
  }
  for (std::size_t i = 0; i < kEscapings.size(); ++i)
    if (o.escaping == kEscapings[i]) n.escaping = static_cast<Escaping>(i);
  return n;
}

// One string a combination, so that a reply builds no header.
#define MILLRACE_ESCAPINGS(prefix)                                                        \
  {prefix "; escaping=underscores", prefix "; escaping=dots", prefix "; escaping=values", \
   prefix "; escaping=allow-utf-8"}
constexpr std::array<std::array<std::string_view, 4>, 4> kContentTypes = {{
    MILLRACE_ESCAPINGS("text/plain; version=0.0.4; charset=utf-8"),
    MILLRACE_ESCAPINGS("application/openmetrics-text; version=1.0.0; charset=utf-8"),
    MILLRACE_ESCAPINGS("application/vnd.google.protobuf; "
                       "proto=io.prometheus.client.MetricFamily; encoding=delimited"),
    MILLRACE_ESCAPINGS("application/openmetrics-text; version=0.0.1; charset=utf-8"),
}};
#undef MILLRACE_ESCAPINGS

}  // namespace

Negotiated NegotiateFormat(std::string_view accept) {
  Negotiated best;
  double best_q = 0;
  ForEachPiece(accept, ',', [&](std::string_view piece) {
    const Offer o = ParseOffer(piece);
    if (o.q <= best_q) return;
    if (const auto n = Ours(o)) {
      best = *n;
      best_q = o.q;
    }
  });
  return best;
}

std::string_view ContentType(const Negotiated& n) {
  auto row = static_cast<std::size_t>(n.format);
  if (n.format == Format::kOpenMetrics && !n.open_metrics_1) row = 3;
  return kContentTypes[row][static_cast<std::size_t>(n.escaping)];
}

Encoding NegotiateEncoding(std::string_view accept_encoding) {
  double gzip = 0;
  double zstd = 0;
  ForEachPiece(accept_encoding, ',', [&](std::string_view piece) {
    const Offer o = ParseOffer(piece);
    if (o.name == "gzip") gzip = o.q;
    if (o.name == "zstd") zstd = o.q;
  });
  if (zstd > gzip) return Encoding::kZstd;
  return gzip > 0 ? Encoding::kGzip : Encoding::kIdentity;
}

std::string_view EncodingName(Encoding e) {
  switch (e) {
    case Encoding::kGzip:
      return "gzip";
    case Encoding::kZstd:
      return "zstd";
    case Encoding::kIdentity:
      break;
  }
  return {};
}

}  // namespace millrace::exposition
