#pragma once
// The little of XML-RPC (http://xmlrpc.com/spec.md) that supervisord's process list needs.
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::node {

/// Members of a structure, values as text.
using XmlRpcStruct = std::map<std::string, std::string, std::less<>>;

/// The array of flat structures in an answer; a fault becomes an error.
[[nodiscard]] Result<std::vector<XmlRpcStruct>> ParseXmlRpcStructs(std::string_view xml);

/// Calls a method without arguments. `url`: http://[user:password@]host[:port]/path or
/// unix:///path/of/socket. At most 5 s and 4 MiB.
[[nodiscard]] Result<std::string> CallXmlRpc(const std::string& url, std::string_view method);

}  // namespace millrace::node
