#include "exporters/node/filter.h"

#include <re2/re2.h>

#include "common/log/log.h"

namespace millrace::node {
namespace {

// Names of devices that came and went (veth...) must not pile up.
constexpr std::size_t kMaxKnown = 4096;
constexpr std::int64_t kMaxMemory = std::int64_t{1} << 20;

}  // namespace

struct Pattern::Impl {
  Impl(std::string_view expression, const re2::RE2::Options& options)
      : re(re2::StringPiece(expression.data(), expression.size()), options) {}
  re2::RE2 re;
};

Pattern::Pattern(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Pattern::Pattern(Pattern&&) noexcept = default;
Pattern& Pattern::operator=(Pattern&&) noexcept = default;
Pattern::~Pattern() = default;

Result<Pattern> Pattern::Make(std::string_view expression) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kMaxMemory);
  auto impl = std::make_unique<Impl>(expression, options);
  if (!impl->re.ok())
    return Fail(ErrorCode::kInvalidArgument,
                "regular expression \"" + std::string(expression) + "\": " + impl->re.error());
  return Pattern(std::move(impl));
}

bool Pattern::Matches(std::string_view text) const {
  return re2::RE2::PartialMatch(re2::StringPiece(text.data(), text.size()), impl_->re);
}

Result<NameFilter> NameFilter::Make(const std::string& exclude, const std::string& include) {
  NameFilter f;
  // The default that excludes nothing: a name is never empty.
  if (!exclude.empty() && exclude != "^$") {
    MILLRACE_ASSIGN(Pattern p, Pattern::Make(exclude));
    f.exclude_ = std::make_unique<Pattern>(std::move(p));
  }
  if (!include.empty()) {
    MILLRACE_ASSIGN(Pattern p, Pattern::Make(include));
    f.include_ = std::make_unique<Pattern>(std::move(p));
  }
  return f;
}

namespace {

tl::unexpected<Error> Exclusive(std::string_view a, std::string_view b) {
  return Fail(ErrorCode::kInvalidArgument,
              "--" + std::string(a) + " and --" + std::string(b) + " are mutually exclusive");
}

// The value of `name`, or of its old name.
Result<std::string> NewOrOld(const FlagSet& flags, std::string_view name, std::string_view old) {
  if (old.empty() || flags.GetText(old).empty()) return flags.GetText(name);
  if (flags.IsSet(name)) return Exclusive(old, name);
  log::Warn("A deprecated flag is used", {{"flag", old}, {"use", name}});
  return flags.GetText(old);
}

}  // namespace

Result<NameFilter> FilterFromFlags(const FlagSet& flags, const FilterFlags& names) {
  MILLRACE_ASSIGN(std::string exclude, NewOrOld(flags, names.exclude, names.old_exclude));
  MILLRACE_ASSIGN(const std::string include, NewOrOld(flags, names.include, names.old_include));
  const bool asked =
      flags.IsSet(names.exclude) || (!names.old_exclude.empty() && flags.IsSet(names.old_exclude));
  if (!include.empty()) {
    if (asked && !exclude.empty()) return Exclusive(names.exclude, names.include);
    exclude.clear();
  }
  return NameFilter::Make(exclude, include);
}

bool NameFilter::Ignored(std::string_view name) {
  if (!exclude_ && !include_) return false;
  const auto found = known_.find(name);
  if (found != known_.end()) return found->second;
  if (known_.size() >= kMaxKnown) known_.clear();
  const bool ignored =
      (exclude_ && exclude_->Matches(name)) || (include_ && !include_->Matches(name));
  known_.emplace(name, ignored);
  return ignored;
}

}  // namespace millrace::node
