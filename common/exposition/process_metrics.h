#pragma once
// process_*: what a program of ours says about itself, under client_golang's names.
#include "common/exposition/writer.h"

namespace millrace::exposition {

/// Of the calling process, read from /proc/self.
void WriteProcessMetrics(MetricWriter& out);

}  // namespace millrace::exposition
