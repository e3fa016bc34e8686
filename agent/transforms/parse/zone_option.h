#pragma once
// The key `timezone`.
#include <string>

#include "common/config/visitor.h"

namespace millrace::agent {

void VisitZone(config::Visitor& v, std::string& timezone);

}  // namespace millrace::agent
