#include "agent/transforms/parse/text_formats.h"

#include "agent/core/name.h"
#include "agent/decode/csv.h"
#include "agent/decode/key_value.h"
#include "agent/decode/regex.h"
#include "agent/decode/syslog.h"
#include "agent/transforms/parse/zone_option.h"

namespace millrace::agent {

void Visit(config::Visitor& v, LogfmtConfig& c) {
  VisitParser(v, c.parser);
  v.Field("infer_types", c.infer_types,
          "Unquoted numbers, true and false become such; otherwise all values are strings.");
}

Result<std::unique_ptr<Transform>> MakeLogfmt(const LogfmtConfig& c, const Context& context) {
  KeyValueOptions options;
  options.need_pair = true;
  options.infer_types = c.infer_types;
  return MakeParser(std::make_shared<KeyValueDecoder>(options), c.parser, context);
}

void Visit(config::Visitor& v, KeyValueConfig& c) {
  VisitParser(v, c.parser);
  v.Field("field_delimiter", c.field_delimiter, "Stands between pairs.").NotEmpty();
  v.Field("key_value_delimiter", c.key_value_delimiter, "Stands between a key and its value.")
      .NotEmpty();
  v.Field("whitespace", c.whitespace, "Blanks around delimiters: ignored, or part of the text.")
      .OneOf({"lenient", "strict"});
  v.Field("accept_standalone_key", c.accept_standalone_key,
          "A word without a value becomes a field that is true; otherwise it is a failure.");
  v.Field("infer_types", c.infer_types,
          "Unquoted numbers, true and false become such; otherwise all values are strings.");
}

Result<std::unique_ptr<Transform>> MakeKeyValue(const KeyValueConfig& c, const Context& context) {
  KeyValueOptions options;
  options.field_delimiter = c.field_delimiter;
  options.key_value_delimiter = c.key_value_delimiter;
  options.lenient_blanks = c.whitespace == "lenient";
  options.standalone_keys = c.accept_standalone_key;
  options.infer_types = c.infer_types;
  return MakeParser(std::make_shared<KeyValueDecoder>(options), c.parser, context);
}

void Visit(config::Visitor& v, CsvConfig& c) {
  VisitParser(v, c.parser);
  v.Field("delimiter", c.delimiter, "One character.").Check([](const std::string& s) {
    return s.size() == 1 && s != "\"" && s != "\n" ? "" : "must be one character";
  });
  v.Field("columns", c.columns,
          "Names of the values. Further values are named column<N>. Without names the result is an "
          "array, for which target_field must be set.");
  v.Field("infer_types", c.infer_types,
          "Unquoted numbers, true and false become such; otherwise all values are strings.");
  if (!v.describing() && c.columns.empty() && c.parser.target_field.empty())
    v.Complain("", "columns or target_field must be set");
}

Result<std::unique_ptr<Transform>> MakeCsv(const CsvConfig& c, const Context& context) {
  CsvOptions options;
  options.delimiter = c.delimiter[0];
  options.infer_types = c.infer_types;
  for (const std::string& name : c.columns) options.columns.push_back(InternName(name));
  return MakeParser(std::make_shared<CsvDecoder>(std::move(options)), c.parser, context);
}

void Visit(config::Visitor& v, SyslogConfig& c) {
  VisitParser(v, c.parser);
  VisitZone(v, c.timezone);
}

Result<std::unique_ptr<Transform>> MakeSyslog(const SyslogConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  return MakeParser(std::make_shared<SyslogDecoder>(std::move(zone)), c.parser, context);
}

void Visit(config::Visitor& v, RegexConfig& c) {
  VisitParser(v, c.parser);
  v.Field(
       "patterns", c.patterns,
       "RE2 patterns with named captures, (?P<name>...). The first one found in the text counts; "
       "anchor them with ^ where they start.")
      .Required()
      .NotEmpty();
  v.Field("types", c.types,
          "Capture and its type: string, int, float, bool, timestamp, timestamp|<format>.");
  VisitZone(v, c.timezone);
  if (v.describing() || c.patterns.empty()) return;
  const auto zone = time::Zone::Load(c.timezone);
  if (!zone) return;
  if (const auto made = RegexDecoder::Make(c.patterns, c.types, *zone); !made)
    v.Complain("patterns", made.error().message);
}

Result<std::unique_ptr<Transform>> MakeRegex(const RegexConfig& c, const Context& context) {
  MILLRACE_ASSIGN(auto zone, time::Zone::Load(c.timezone));
  MILLRACE_ASSIGN(auto decoder, RegexDecoder::Make(c.patterns, c.types, std::move(zone)));
  return MakeParser(std::move(decoder), c.parser, context);
}

}  // namespace millrace::agent
