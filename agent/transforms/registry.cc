// Every transform the configuration can name.
#include "agent/core/registry.h"

#include <array>

#include "agent/transforms/fields/fields.h"
#include "agent/transforms/flow/route.h"
#include "agent/transforms/parse/access_log.h"
#include "agent/transforms/parse/json.h"

namespace millrace::agent {
namespace {
// clang-format off
constexpr std::array kTransforms = {
    Component<Transform, JsonConfig, &MakeJson>("json", "Takes a JSON object apart."),
    Component<Transform, NginxConfig, &MakeNginx>("nginx", "Parses access logs of nginx."),
    Component<Transform, ApacheConfig, &MakeApache>("apache", "Parses access logs of Apache."),
    Component<Transform, AddFieldsConfig, &MakeAddFields>("add_fields", "Adds fields with fixed or templated values."),
    Component<Transform, RemoveFieldsConfig, &MakeRemoveFields>("remove_fields", "Removes fields."),
    Component<Transform, KeepFieldsConfig, &MakeKeepFields>("keep_fields", "Removes all fields but some."),
    Component<Transform, RenameFieldsConfig, &MakeRenameFields>("rename_fields", "Renames or moves fields."),
    Component<Transform, CopyFieldsConfig, &MakeCopyFields>("copy_fields", "Copies fields."),
    Component<Transform, FilterConfig, &MakeFilter>("filter", "Drops events that do not meet a condition."),
    Component<Transform, RouteConfig, &MakeRoute>("route", "Sends events to named outputs by condition."),
    Component<Transform, ExclusiveRouteConfig, &MakeExclusiveRoute>("exclusive_route", "Sends each event to the first output whose condition it meets."),
};
// clang-format on
}  // namespace

std::span<const Entry<Transform>> Transforms() { return kTransforms; }

}  // namespace millrace::agent
