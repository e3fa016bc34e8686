// Every transform the configuration can name.
#include "agent/core/registry.h"

#include <array>

#include "agent/transforms/fields/fields.h"
#include "agent/transforms/fields/timestamp.h"
#include "agent/transforms/flow/route.h"
#include "agent/transforms/multiline/multiline.h"
#include "agent/transforms/parse/access_log.h"
#include "agent/transforms/parse/dissect.h"
#include "agent/transforms/parse/grok.h"
#include "agent/transforms/parse/json.h"
#include "agent/transforms/parse/text_formats.h"

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array kTransforms = {
    Component<Transform, JsonConfig, &MakeJson>("json", "Takes a JSON object apart."),
    Component<Transform, NginxConfig, &MakeNginx>("nginx", "Parses access and error logs of nginx."),
    Component<Transform, ApacheConfig, &MakeApache>("apache", "Parses access and error logs of Apache."),
    Component<Transform, LogfmtConfig, &MakeLogfmt>("logfmt", "Parses lines of key=value pairs."),
    Component<Transform, KeyValueConfig, &MakeKeyValue>("key_value", "Parses pairs with delimiters of any kind."),
    Component<Transform, CsvConfig, &MakeCsv>("csv", "Parses lines of separated values."),
    Component<Transform, SyslogConfig, &MakeSyslog>("syslog", "Parses syslog messages (RFC 5424 and 3164)."),
    Component<Transform, RegexConfig, &MakeRegex>("regex", "Takes named captures of RE2 patterns."),
    Component<Transform, DissectConfig, &MakeDissect>("dissect", "Cuts lines at fixed delimiters."),
    Component<Transform, GrokConfig, &MakeGrok>("grok", "Takes named patterns apart, as Logstash does."),
    Component<Transform, TimestampConfig, &MakeTimestamp>("timestamp", "Reads the event's time from a field."),
    Component<Transform, ConvertConfig, &MakeConvert>("convert", "Changes the types of fields."),
    Component<Transform, AddFieldsConfig, &MakeAddFields>("add_fields", "Adds fields with fixed or templated values."),
    Component<Transform, RemoveFieldsConfig, &MakeRemoveFields>("remove_fields", "Removes fields."),
    Component<Transform, KeepFieldsConfig, &MakeKeepFields>("keep_fields", "Removes all fields but some."),
    Component<Transform, RenameFieldsConfig, &MakeRenameFields>("rename_fields", "Renames or moves fields."),
    Component<Transform, CopyFieldsConfig, &MakeCopyFields>("copy_fields", "Copies fields."),
    Component<Transform, MultilineConfig, &MakeMultiline>("multiline", "Joins lines that belong together."),
    Component<Transform, FilterConfig, &MakeFilter>("filter", "Drops events that do not meet a condition."),
    Component<Transform, RouteConfig, &MakeRoute>("route", "Sends events to named outputs by condition."),
    Component<Transform, ExclusiveRouteConfig, &MakeExclusiveRoute>("exclusive_route", "Sends each event to the first output whose condition it meets."),
};
// clang-format on
}  // namespace

std::span<const Entry<Transform>> Transforms() { return kTransforms; }

}  // namespace millrace::agent
