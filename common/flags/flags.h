#pragma once
// Command lines in the style of Prometheus' programs: --name=value or --name value, --switch and
// --no-switch, repeatable lists, groups in --help. Declared once, read back by name.
//   flags.Group("General"); flags.Text("path.procfs", "/proc", "Where procfs is mounted.");
//   MILLRACE_TRY(flags.Parse(args));  flags.GetText("path.procfs");
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace {

/// Reading a name that was not declared, or with another type, is a programming error and aborts.
class FlagSet {
 public:
  explicit FlagSet(std::string program) : program_(std::move(program)) {}

  /// Flags declared from here on stand under this heading in --help.
  void Group(std::string_view title);
  void Switch(std::string_view name, bool value, std::string_view help);
  void Text(std::string_view name, std::string_view value, std::string_view help);
  /// May be given several times; `values` holds until the first.
  void List(std::string_view name, std::vector<std::string> values, std::string_view help);
  void Integer(std::string_view name, std::int64_t value, std::string_view help);
  /// "250ms", "10s", "1m30s"; read back in seconds.
  void Duration(std::string_view name, std::string_view value, std::string_view help);
  void Choice(std::string_view name, std::string_view value, std::vector<std::string> allowed,
              std::string_view help);
  /// The flag declared last stays out of --help (old names).
  void Hide();
  /// The flag declared last takes its default from this environment variable when it is set.
  void FromEnvironment(const char* variable);

  /// `args` without the program's name. kInvalidArgument names the flag; kCancelled means that
  /// --help or --version was asked for: see asked_help(), asked_version().
  [[nodiscard]] Status Parse(std::span<const std::string> args);
  [[nodiscard]] bool asked_help() const { return asked_help_; }
  [[nodiscard]] bool asked_version() const { return asked_version_; }
  [[nodiscard]] std::string Help() const;

  [[nodiscard]] bool GetSwitch(std::string_view name) const;
  [[nodiscard]] const std::string& GetText(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& GetList(std::string_view name) const;
  [[nodiscard]] std::int64_t GetInteger(std::string_view name) const;
  [[nodiscard]] double GetSeconds(std::string_view name) const;
  /// Given on the command line, whatever the value.
  [[nodiscard]] bool IsSet(std::string_view name) const;
  [[nodiscard]] bool Declared(std::string_view name) const { return index_.contains(name); }
  /// Names of all flags, in order of declaration.
  [[nodiscard]] std::vector<std::string_view> Names() const;

 private:
  enum class Kind : unsigned char { kSwitch, kText, kList, kInteger, kDuration, kChoice };
  struct Flag {
    std::string name, help, group;
    Kind kind = Kind::kText;
    bool hidden = false, set = false;
    bool on = false;
    std::string text;
    std::vector<std::string> list, allowed;
    std::int64_t integer = 0;
    double seconds = 0;
    const char* variable = nullptr;
  };
  Flag& Add(std::string_view name, Kind kind, std::string_view help);
  [[nodiscard]] const Flag& Find(std::string_view name, Kind kind) const;
  [[nodiscard]] Status Assign(Flag& flag, std::string_view value);
  [[nodiscard]] tl::unexpected<Error> Unknown(std::string_view argument) const;

  std::string program_, group_;
  std::vector<Flag> flags_;
  std::map<std::string, std::size_t, std::less<>> index_;
  bool asked_help_ = false, asked_version_ = false;
};

/// "1h30m", "15s", "250ms", "0" in seconds.
[[nodiscard]] Result<double> ParseDurationSeconds(std::string_view text);

}  // namespace millrace
