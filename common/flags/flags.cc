#include "common/flags/flags.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include "common/base/check.h"
#include "common/base/strings.h"

namespace millrace {

Result<double> ParseDurationSeconds(std::string_view text) {
  struct Unit {
    std::string_view name;
    double seconds;
  };
  static constexpr std::array<Unit, 7> kUnits = {
      {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}}};
  const auto bad = [&] {
    return Fail(ErrorCode::kInvalidArgument,
                "\"" + std::string(text) + "\" is not a duration such as 250ms, 10s or 1m30s");
  };
  if (text == "0") return 0.0;
  double total = 0;
  std::string_view rest = text;
  if (rest.empty()) return bad();
  while (!rest.empty()) {
    const auto digits = std::min(rest.find_first_not_of("0123456789."), rest.size());
    const auto value = ParseNumber<double>(rest.substr(0, digits));
    rest.remove_prefix(digits);
    const auto letters = std::min(rest.find_first_of("0123456789."), rest.size());
    const auto* unit = std::find_if(kUnits.begin(), kUnits.end(), [&](const Unit& u) {
      return u.name == rest.substr(0, letters);
    });
    if (!value || unit == kUnits.end()) return bad();
    total += *value * unit->seconds;
    rest.remove_prefix(letters);
  }
  return total;
}

void FlagSet::Group(std::string_view title) { group_ = title; }

FlagSet::Flag& FlagSet::Add(std::string_view name, Kind kind, std::string_view help) {
  MILLRACE_CHECK(!index_.contains(name));
  index_.emplace(name, flags_.size());
  Flag& f = flags_.emplace_back();
  f.name = name;
  f.kind = kind;
  f.help = help;
  f.group = group_;
  return f;
}

void FlagSet::Switch(std::string_view name, bool value, std::string_view help) {
  Add(name, Kind::kSwitch, help).on = value;
}
void FlagSet::Text(std::string_view name, std::string_view value, std::string_view help) {
  Add(name, Kind::kText, help).text = value;
}
void FlagSet::List(std::string_view name, std::vector<std::string> values, std::string_view help) {
  Add(name, Kind::kList, help).list = std::move(values);
}
void FlagSet::Integer(std::string_view name, std::int64_t value, std::string_view help) {
  Add(name, Kind::kInteger, help).integer = value;
}
void FlagSet::Duration(std::string_view name, std::string_view value, std::string_view help) {
  Flag& f = Add(name, Kind::kDuration, help);
  f.text = value;
  const auto seconds = ParseDurationSeconds(value);
  MILLRACE_CHECK(seconds.has_value());
  f.seconds = *seconds;
}
void FlagSet::Choice(std::string_view name, std::string_view value,
                     std::vector<std::string> allowed, std::string_view help) {
  Flag& f = Add(name, Kind::kChoice, help);
  f.text = value;
  f.allowed = std::move(allowed);
}
void FlagSet::Hide() { flags_.back().hidden = true; }
void FlagSet::FromEnvironment(const char* variable) { flags_.back().variable = variable; }

Status FlagSet::Assign(Flag& flag, std::string_view value) {
  const auto within = [&](Error e) {
    return tl::make_unexpected(std::move(e).Within("--" + flag.name));
  };
  switch (flag.kind) {
    case Kind::kSwitch:
      if (value != "true" && value != "false")
        return within({ErrorCode::kInvalidArgument, "must be true or false"});
      flag.on = value == "true";
      return {};
    case Kind::kText:
      flag.text = value;
      return {};
    case Kind::kList:
      if (!flag.set) flag.list.clear();
      flag.list.emplace_back(value);
      return {};
    case Kind::kInteger: {
      const auto number = ParseNumber<std::int64_t>(value);
      if (!number)
        return within(
            {ErrorCode::kInvalidArgument, "\"" + std::string(value) + "\" is not a whole number"});
      flag.integer = *number;
      return {};
    }
    case Kind::kDuration: {
      auto seconds = ParseDurationSeconds(value);
      if (!seconds) return within(std::move(seconds).error());
      flag.text = value;
      flag.seconds = *seconds;
      return {};
    }
    case Kind::kChoice:
      if (std::find(flag.allowed.begin(), flag.allowed.end(), value) == flag.allowed.end()) {
        std::string all;
        for (const auto& a : flag.allowed) all += (all.empty() ? "" : ", ") + a;
        return within({ErrorCode::kInvalidArgument,
                       "must be one of " + all + ", not \"" + std::string(value) + "\""});
      }
      flag.text = value;
      return {};
  }
  return {};
}

tl::unexpected<Error> FlagSet::Unknown(std::string_view argument) const {
  const std::string_view name = argument.substr(0, argument.find('='));
  std::vector<std::string_view> names;
  for (const Flag& f : flags_)
    if (!f.hidden) names.push_back(f.name);
  const std::string_view near = Nearest(name.substr(std::min<std::size_t>(2, name.size())), names);
  std::string message = "unknown long flag '" + std::string(name) + "'";
  if (!near.empty()) message += "; did you mean --" + std::string(near) + "?";
  return Fail(ErrorCode::kInvalidArgument, message);
}

Status FlagSet::Parse(std::span<const std::string> args) {
  for (Flag& f : flags_) {
    const char* value = f.variable != nullptr ? std::getenv(f.variable) : nullptr;
    if (value != nullptr) MILLRACE_TRY(Assign(f, value));
  }
  for (std::size_t i = 0; i < args.size(); ++i) {
    const std::string_view arg = args[i];
    if (arg == "-h" || arg == "--help") {
      asked_help_ = true;
      continue;
    }
    if (arg == "--version") {
      asked_version_ = true;
      continue;
    }
    if (!arg.starts_with("--")) {
      if (arg.starts_with("-") && arg.size() > 1)
        return Fail(ErrorCode::kInvalidArgument, "unknown short flag '" + std::string(arg) + "'");
      return Fail(ErrorCode::kInvalidArgument, "unexpected " + std::string(arg));
    }
    const auto eq = arg.find('=');
    std::string_view name = arg.substr(2, eq == std::string_view::npos ? eq : eq - 2);
    bool negative = false;
    auto found = index_.find(name);
    if (found == index_.end() && name.starts_with("no-")) {
      found = index_.find(name.substr(3));
      negative = found != index_.end() && flags_[found->second].kind == Kind::kSwitch;
      if (!negative) return Unknown(arg);
    }
    if (found == index_.end()) return Unknown(arg);
    Flag& flag = flags_[found->second];
    if (flag.set && flag.kind != Kind::kList)
      return Fail(ErrorCode::kInvalidArgument, "flag '" + flag.name + "' cannot be repeated");
    if (flag.kind == Kind::kSwitch) {
      // kingpin, the original's parser, knows only --x and --no-x.
      if (eq != std::string_view::npos)
        return Fail(ErrorCode::kInvalidArgument, "unexpected " + std::string(arg.substr(eq + 1)) +
                                                     " (write --" + flag.name + " or --no-" +
                                                     flag.name + ")");
      MILLRACE_TRY(Assign(flag, negative ? "false" : "true"));
    } else if (eq != std::string_view::npos) {
      MILLRACE_TRY(Assign(flag, arg.substr(eq + 1)));
    } else if (i + 1 < args.size()) {
      MILLRACE_TRY(Assign(flag, args[++i]));
    } else {
      return Fail(ErrorCode::kInvalidArgument, "expected argument for flag '--" + flag.name + "'");
    }
    flag.set = true;
  }
  if (asked_help_ || asked_version_) return Fail(ErrorCode::kCancelled, "help was asked for");
  return {};
}

std::string FlagSet::Help() const {
  constexpr std::size_t kColumn = 32;
  std::string out = "usage: " + program_ + " [<flags>]\n";
  std::string group = "\n";
  const auto line = [&](std::string left, std::string_view help) {
    left.insert(0, "  ");
    out += left;
    if (left.size() + 2 > kColumn) {
      out += '\n';
      left.clear();
    }
    out.append(kColumn - left.size(), ' ').append(help) += '\n';
  };
  const auto heading = [&](const std::string& title) {
    if (title == group) return;
    group = title;
    out += "\n" + title + ":\n";
  };
  heading("Flags");
  line("-h, --[no-]help", "Print this text.");
  line("--[no-]version", "Print the version.");
  for (const Flag& f : flags_) {
    if (f.hidden) continue;
    heading(f.group.empty() ? "Flags" : f.group);
    std::string left = f.kind == Kind::kSwitch ? "--[no-]" + f.name : "--" + f.name + "=";
    std::string shown;
    switch (f.kind) {
      case Kind::kSwitch:
        break;
      case Kind::kInteger:
        shown = std::to_string(f.integer);
        break;
      case Kind::kList:
        for (const auto& v : f.list) shown += (shown.empty() ? "" : ",") + v;
        shown = shown.empty() ? "VALUE ..." : shown + " ...";
        break;
      case Kind::kText:
        shown = "\"" + f.text + "\"";
        break;
      case Kind::kDuration:
      case Kind::kChoice:
        shown = f.text;
        break;
    }
    std::string help = f.help;
    if (!f.allowed.empty()) {
      help += " One of: [";
      for (std::size_t i = 0; i < f.allowed.size(); ++i) help += (i ? ", " : "") + f.allowed[i];
      help += ']';
    }
    if (f.variable != nullptr) help += std::string(" ($") + f.variable + ")";
    line(left + shown, help);
  }
  return out;
}

const FlagSet::Flag& FlagSet::Find(std::string_view name, Kind kind) const {
  const auto found = index_.find(name);
  MILLRACE_CHECK(found != index_.end());
  const Flag& f = flags_[found->second];
  MILLRACE_CHECK(f.kind == kind || (kind == Kind::kText && f.kind == Kind::kChoice));
  return f;
}

bool FlagSet::GetSwitch(std::string_view name) const { return Find(name, Kind::kSwitch).on; }
const std::string& FlagSet::GetText(std::string_view name) const {
  return Find(name, Kind::kText).text;
}
const std::vector<std::string>& FlagSet::GetList(std::string_view name) const {
  return Find(name, Kind::kList).list;
}
std::int64_t FlagSet::GetInteger(std::string_view name) const {
  return Find(name, Kind::kInteger).integer;
}
double FlagSet::GetSeconds(std::string_view name) const {
  return Find(name, Kind::kDuration).seconds;
}
bool FlagSet::IsSet(std::string_view name) const {
  const auto found = index_.find(name);
  return found != index_.end() && flags_[found->second].set;
}
std::vector<std::string_view> FlagSet::Names() const {
  std::vector<std::string_view> out;
  for (const Flag& f : flags_) out.push_back(f.name);
  return out;
}

}  // namespace millrace
