#pragma once
// Route templates: what a path is called in a metric, so that the number of series does not depend
// on what clients ask for.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::app_metrics {

/// Longest route label; longer ones are cut.
inline constexpr std::size_t kMaxRoute = 200;

/// Declared templates: "/users/:id", "/users/{id}", "/static/*" (the rest of the path). Immutable
/// after construction; Match is thread-safe, allocates nothing and looks at each byte once per
/// alternative.
class RouteTable {
 public:
  explicit RouteTable(const std::vector<std::string>& templates);
  ~RouteTable();
  RouteTable(const RouteTable&) = delete;
  RouteTable& operator=(const RouteTable&) = delete;
  [[nodiscard]] bool empty() const { return empty_; }
  /// The template that fits (literals before parameters before "*"), or "".
  [[nodiscard]] std::string_view Match(std::string_view path) const;

 private:
  struct Node;
  std::unique_ptr<Node> root_;
  bool empty_;
};

/// A segment that is likely an identifier: digits only, a UUID, 16 or more hex digits, 40 or more
/// bytes, or bytes that no hand-written route has.
[[nodiscard]] bool LooksLikeId(std::string_view segment);
/// `path` with every identifier-like segment replaced by "{id}", written into `out` (kMaxRoute
/// bytes). At most 8 segments are kept; what follows becomes "*".
[[nodiscard]] std::string_view GuessTemplate(std::string_view path, char* out);

/// 0..8 for the methods of RFC 9110 and PATCH, 9 ("_OTHER") for what nobody knows.
[[nodiscard]] std::uint8_t MethodIndex(std::string_view method);
[[nodiscard]] std::string_view MethodName(std::uint8_t index);
inline constexpr std::uint8_t kMethods = 10;

namespace internal {
/// For adapters: `path` with the ranges that a pattern captured replaced by "{1}", "{2}" and what
/// else looks like an id by "{id}". At most 9 groups; `out` has kMaxRoute bytes.
[[nodiscard]] std::string_view TemplateFromCaptures(
    std::string_view path, const std::pair<std::size_t, std::size_t>* groups, std::size_t count,
    char* out);
}  // namespace internal

}  // namespace millrace::app_metrics
