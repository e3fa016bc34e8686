#pragma once
// What the scraper asked for: format by Accept, compression by Accept-Encoding.
#include <string_view>

#include "common/exposition/writer.h"

namespace millrace::exposition {

enum class Encoding : unsigned char { kIdentity, kGzip, kZstd };

/// How metric names are escaped; ours need none, so the reply only says what was asked.
enum class Escaping : unsigned char { kUnderscores, kDots, kValues, kAllowUtf8 };

struct Negotiated {
  Format format = Format::kText;
  bool open_metrics_1 = false;  ///< version=1.0.0 was asked, not 0.0.1
  Escaping escaping = Escaping::kUnderscores;
};

/// The acceptable format with the highest q; text 0.0.4 when none is ours.
[[nodiscard]] Negotiated NegotiateFormat(std::string_view accept);
[[nodiscard]] std::string_view ContentType(const Negotiated& n);
/// The highest q of gzip, zstd and identity; on equal q in this order (the original knows gzip
/// only).
[[nodiscard]] Encoding NegotiateEncoding(std::string_view accept_encoding);
/// For the Content-Encoding header; "" for identity.
[[nodiscard]] std::string_view EncodingName(Encoding e);

}  // namespace millrace::exposition
