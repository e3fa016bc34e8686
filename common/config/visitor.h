#pragma once
// Typed configuration. A struct lists its keys once, in a function `Visit(Visitor&, Struct&)`; the
// loader, the errors with file:line:column, the JSON Schema and the reference page all come from
// that one list.
// Visit() is found by argument-dependent lookup: it stands in the namespace of its struct, not in
// an anonymous one inside it.
//
//   struct BatchConfig { std::uint64_t max_events = 2000; std::string codec = "json"; };
//   void Visit(config::Visitor& v, BatchConfig& c) {
//     v.Field("max_events", c.max_events, "Events per request.").Range(1, 1'000'000);
//     v.Field("codec", c.codec, "How events are written.").OneOf({"json", "text"});
//   }
#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include <yaml-cpp/yaml.h>

#include "common/base/result.h"

namespace millrace::config {

/// Collects every fault of a configuration before giving up, so that a user fixes them in one go.
class Problems {
 public:
  /// `at` may be an undefined node: the fault then stands at the top of the file.
  void Add(const std::string& file, const YAML::Node& at, std::string_view path, std::string what);
  void Add(const std::string& file, int line, int column, std::string what);
  [[nodiscard]] bool empty() const { return list_.empty(); }
  [[nodiscard]] std::size_t size() const { return list_.size(); }
  /// One fault a line, "file:line:column: path: what", in file order.
  [[nodiscard]] std::string Text() const;
  [[nodiscard]] Status ToStatus() const;

 private:
  struct Problem {
    std::string file;
    int line, column;
    std::string what;
  };
  std::vector<Problem> list_;
};

/// A value that is never printed: logs and dumps show "***".
struct Secret {
  std::string value;
  [[nodiscard]] bool empty() const { return value.empty(); }
};

/// A length of time as Go and Prometheus write it: "1m30s", "250ms", "2d"; a bare number is refused
/// but for 0.
struct Duration {
  std::chrono::nanoseconds value{};
};
[[nodiscard]] std::optional<std::chrono::nanoseconds> ParseDuration(std::string_view text);

/// A number of bytes: 20971520, "20MiB", "20MB", "64k".
struct Bytes {
  std::uint64_t value = 0;
};
[[nodiscard]] std::optional<std::uint64_t> ParseBytes(std::string_view text);

/// What a struct's Visit() lists, for the schema and the reference page.
struct Schema {
  enum class Kind {
    kBool,
    kInteger,
    kNumber,
    kString,
    kSecret,
    kDuration,
    kBytes,
    kArray,
    kMap,
    kObject,
    kAny
  };
  Kind kind = Kind::kObject;
  std::string help;
  std::string default_text;  ///< As JSON; "" = none.
  bool required = false;
  std::optional<double> minimum, maximum;
  std::vector<std::string> choices;
  std::vector<std::pair<std::string, std::unique_ptr<Schema>>>
      properties;                 ///< In the order listed.
  std::unique_ptr<Schema> items;  ///< Of an array or a map.
};
/// JSON Schema 2020-12 of one node.
[[nodiscard]] std::string ToJsonSchema(const Schema& schema, int indent = 0);
/// A Markdown table of the keys (nested keys dotted): key, type, default, meaning.
[[nodiscard]] std::string ToMarkdown(const Schema& schema);

/// Parses YAML and puts ${VAR}, ${VAR:-default} and ${VAR:?message} into scalars (after parsing, so
/// that a variable can never add structure); "$${" is a literal "${". Faults go to `problems`.
[[nodiscard]] YAML::Node Parse(const std::string& text, const std::string& file,
                               Problems& problems);

/// How strictly scalars are read. The default is the project's own; a drop-in for another program
/// reads as that program does.
struct Dialect {
  bool null_is_absent = false;    ///< "key:" and "key: null" leave the default.
  bool quoted_is_string = false;  ///< "true" and "5" in quotes are neither a boolean nor a number.
};

/// A type of the caller that reads itself from one node: the function returns a complaint or "".
/// It is described as a string.
template <class T>
concept SelfReading = requires(const YAML::Node& n, T& v) {
  { ReadYaml(n, v) } -> std::same_as<std::string>;
};

class Visitor;
template <class T>
concept Visitable = requires(Visitor& v, T& t) { Visit(v, t); };

/// Gives the names of an enum in a configuration:
///   template <> struct EnumNames<Mode> { static constexpr std::pair<Mode, std::string_view>
///   kList[] = {...}; };
template <class E>
struct EnumNames;

/// Reads one YAML mapping into a struct, or describes the struct. Each key keeps the default that
/// its struct gave it when absent.
class Visitor {
 public:
  /// Reading: `map` may be undefined or null, which is an empty mapping.
  Visitor(const YAML::Node& map, std::string file, std::string path, Problems& problems,
          Dialect dialect = {});
  /// Describing.
  explicit Visitor(Schema& schema) : schema_(&schema) {}
  /// Reports unknown and repeated keys.
  ~Visitor();
  Visitor(const Visitor&) = delete;
  Visitor& operator=(const Visitor&) = delete;

  [[nodiscard]] bool describing() const { return schema_ != nullptr; }
  [[nodiscard]] const std::string& path() const { return path_; }
  [[nodiscard]] const std::string& file() const { return file_; }
  [[nodiscard]] Problems* problems() const { return problems_; }
  [[nodiscard]] const YAML::Node& node() const { return map_; }

  /// What Field() returns, to add rules. Rules apply to values that stand in the file.
  template <class T>
  class Rules {
   public:
    Rules(Visitor& visitor, const char* name, T& value, YAML::Node node, Schema* schema,
          bool loaded)
        : visitor_(visitor),
          name_(name),
          value_(value),
          node_(std::move(node)),
          schema_(schema),
          loaded_(loaded) {}
    Rules& Required() {
      if (schema_ != nullptr)
        schema_->required = true;
      else if (!node_.IsDefined())
        visitor_.Missing(name_);
      return *this;
    }
    Rules& Range(double low, double high = std::numeric_limits<double>::infinity()) {
      if (schema_ != nullptr) {
        schema_->minimum = low;
        if (high < std::numeric_limits<double>::infinity()) schema_->maximum = high;
      } else if (loaded_ && node_.IsScalar()) {
        visitor_.CheckRange(node_, name_, low, high);
      }
      return *this;
    }
    Rules& OneOf(std::initializer_list<std::string_view> choices) {
      if (schema_ != nullptr)
        schema_->choices.assign(choices.begin(), choices.end());
      else if (loaded_)
        visitor_.CheckChoice(node_, name_, choices);
      return *this;
    }
    Rules& NotEmpty() {
      return Check(
          [](const T& v) { return v.empty() ? std::string("must not be empty") : std::string(); });
    }
    /// `check` returns a complaint, or an empty string.
    template <class F>
    Rules& Check(F check) {
      if (schema_ == nullptr && loaded_) {
        if (std::string why = check(value_); !why.empty())
          visitor_.ComplainAt(node_, name_, std::move(why));
      }
      return *this;
    }

   private:
    Visitor& visitor_;
    const char* name_;
    T& value_;
    YAML::Node node_;
    Schema* schema_;
    bool loaded_;  ///< The key stands in the file and has the right type.
  };

  /// One key. T: bool, integers, double, std::string, Secret, Duration, Bytes, an enum with
  /// EnumNames, a struct with Visit(), std::optional, std::vector and std::map<std::string, ..> of
  /// these, or YAML::Node for a value whose shape the caller checks.
  template <class T>
  Rules<T> Field(const char* name, T& value, const char* help) {
    if (describing()) {
      Schema& s = AddProperty(name, help);
      Describe(s, value);
      return {*this, name, value, YAML::Node(YAML::NodeType::Undefined), &s, false};
    }
    YAML::Node n = Take(name);
    const std::size_t faults = problems_->size();
    if (n.IsDefined()) Load(n, Join(name), value);
    return {*this, name, value, n, nullptr, n.IsDefined() && problems_->size() == faults};
  }
  /// A number of seconds, fractions allowed, for keys that end in _secs.
  Rules<std::chrono::milliseconds> Seconds(const char* name, std::chrono::milliseconds& value,
                                           const char* help);
  /// Marks a key as known whose value somebody else reads ("type", "inputs").
  void Ignore(const char* name) { known_.emplace_back(name); }
  [[nodiscard]] bool Has(const char* name) const { return map_.IsMap() && map_[name].IsDefined(); }
  /// A fault at a key of this mapping (or at the mapping itself, if the key is absent or "").
  void Complain(std::string_view name, std::string what);
  /// A fault at a node inside this mapping.
  void ComplainAt(const YAML::Node& at, std::string_view name, std::string what);

 private:
  template <class T>
  friend class Rules;

  [[nodiscard]] std::string Join(std::string_view name) const {
    return path_.empty() ? std::string(name) : path_ + "." + std::string(name);
  }
  YAML::Node Take(const char* name);
  Schema& AddProperty(const char* name, const char* help);
  void Missing(const char* name);
  void CheckRange(const YAML::Node& n, const char* name, double low, double high);
  void CheckChoice(const YAML::Node& n, const char* name,
                   std::initializer_list<std::string_view> choices);
  void Fault(const YAML::Node& at, const std::string& path, std::string what) {
    problems_->Add(file_, at, path, std::move(what));
  }

  void LoadScalar(const YAML::Node& n, const std::string& path, bool& v);
  void LoadScalar(const YAML::Node& n, const std::string& path, double& v);
  void LoadScalar(const YAML::Node& n, const std::string& path, std::string& v);
  void LoadScalar(const YAML::Node& n, const std::string& path, Duration& v);
  void LoadScalar(const YAML::Node& n, const std::string& path, Bytes& v);
  bool LoadInteger(const YAML::Node& n, const std::string& path, std::int64_t low,
                   std::uint64_t high, std::int64_t& negative, std::uint64_t& positive);
  bool LoadEnum(const YAML::Node& n, const std::string& path,
                const std::vector<std::string_view>& names, std::size_t& index);

  template <class T>
  struct IsVector : std::false_type {};
  template <class T>
  struct IsVector<std::vector<T>> : std::true_type {};
  template <class T>
  struct IsMap : std::false_type {};
  template <class T>
  struct IsMap<std::map<std::string, T>> : std::true_type {};
  template <class T>
  struct IsOptional : std::false_type {};
  template <class T>
  struct IsOptional<std::optional<T>> : std::true_type {};

  template <class T>
  void Load(const YAML::Node& n, const std::string& path, T& v) {
    if constexpr (std::is_same_v<T, YAML::Node>) {
      v.reset(n);
    } else if constexpr (IsOptional<T>::value) {
      Load(n, path, v.emplace());
    } else if constexpr (IsVector<T>::value) {
      v.clear();
      if (!n.IsSequence()) return Fault(n, path, "must be a list");
      std::size_t i = 0;
      for (const auto& item : n) {
        typename T::value_type element{};
        Load(item, path + "[" + std::to_string(i++) + "]", element);
        v.push_back(std::move(element));
      }
    } else if constexpr (IsMap<T>::value) {
      v.clear();
      if (n.IsNull()) return;
      if (!n.IsMap()) return Fault(n, path, "must be a mapping");
      for (const auto& item : n)
        Load(item.second, path + "." + item.first.Scalar(), v[item.first.Scalar()]);
    } else if constexpr (Visitable<T>) {
      if (!n.IsMap() && !n.IsNull()) return Fault(n, path, "must be a mapping");
      Visitor inner(n, file_, path, *problems_, dialect_);
      Visit(inner, v);
    } else if constexpr (SelfReading<T>) {
      if (std::string why = ReadYaml(n, v); !why.empty()) Fault(n, path, std::move(why));
    } else if constexpr (std::is_enum_v<T>) {
      std::vector<std::string_view> names;
      for (const auto& [value, text] : EnumNames<T>::kList) names.push_back(text);
      std::size_t index = 0;
      if (LoadEnum(n, path, names, index)) v = EnumNames<T>::kList[index].first;
    } else if constexpr (std::is_same_v<T, Secret>) {
      LoadScalar(n, path, v.value);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      std::int64_t negative = 0;
      std::uint64_t positive = 0;
      if (LoadInteger(n, path, std::numeric_limits<T>::min(), std::numeric_limits<T>::max(),
                      negative, positive))
        v = negative < 0 ? static_cast<T>(negative) : static_cast<T>(positive);
    } else {
      LoadScalar(n, path, v);
    }
  }

  static void DescribeDefault(Schema& s, bool v);
  static void DescribeDefault(Schema& s, double v);
  static void DescribeDefault(Schema& s, const std::string& v);
  static void DescribeInteger(Schema& s, std::string text, double low);
  template <class T>
  static void Describe(Schema& s, T& v) {
    if constexpr (std::is_same_v<T, YAML::Node>) {
      s.kind = Schema::Kind::kAny;
    } else if constexpr (IsOptional<T>::value) {
      typename T::value_type inner{};
      Describe(s, inner);
      s.default_text.clear();
    } else if constexpr (IsVector<T>::value) {
      s.kind = Schema::Kind::kArray;
      s.items = std::make_unique<Schema>();
      typename T::value_type inner{};
      Describe(*s.items, inner);
      s.items->default_text.clear();
      DescribeList(s, v);
    } else if constexpr (IsMap<T>::value) {
      s.kind = Schema::Kind::kMap;
      s.items = std::make_unique<Schema>();
      typename T::mapped_type inner{};
      Describe(*s.items, inner);
      s.items->default_text.clear();
    } else if constexpr (Visitable<T>) {
      s.kind = Schema::Kind::kObject;
      Visitor inner(s);
      Visit(inner, v);
    } else if constexpr (SelfReading<T>) {
      s.kind = Schema::Kind::kString;
    } else if constexpr (std::is_enum_v<T>) {
      s.kind = Schema::Kind::kString;
      for (const auto& [value, text] : EnumNames<T>::kList) {
        s.choices.emplace_back(text);
        if (value == v) DescribeDefault(s, std::string(text));
      }
    } else if constexpr (std::is_same_v<T, Secret>) {
      s.kind = Schema::Kind::kSecret;
    } else if constexpr (std::is_same_v<T, Duration>) {
      DescribeDuration(s, v.value);
    } else if constexpr (std::is_same_v<T, Bytes>) {
      s.kind = Schema::Kind::kBytes;
      s.default_text = std::to_string(v.value);
    } else if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
      DescribeInteger(s, std::to_string(v), static_cast<double>(std::numeric_limits<T>::min()));
    } else {
      DescribeDefault(s, v);
    }
  }
  static void DescribeDuration(Schema& s, std::chrono::nanoseconds v);
  static void DescribeStrings(Schema& s, const std::vector<std::string>& v);
  template <class T>
  static void DescribeList(Schema& s, const std::vector<T>& v) {
    if constexpr (std::is_same_v<T, std::string>) DescribeStrings(s, v);
  }

  YAML::Node map_;
  std::string file_, path_;
  Problems* problems_ = nullptr;
  Schema* schema_ = nullptr;
  Dialect dialect_;
  std::vector<std::string> known_;
};

}  // namespace millrace::config
