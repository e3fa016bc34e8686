#pragma once
// Numbers as Go's strconv.FormatFloat(v, 'g', -1, 64) prints them: the shortest text that reads
// back to the same value, with an exponent below 1e-4 and from 1e+06 (1.5e+06). Prometheus'
// own exporters write this form, so an unchanged value stays byte-identical after a swap.
#include <cstddef>

namespace millrace::exposition {

/// The longest number this writes.
inline constexpr std::size_t kMaxNumber = 32;

/// Writes at most kMaxNumber bytes to `out`, returns the end.
char* WriteGoFloat(char* out, double value);
/// The same with ".0" behind a number that has neither point nor exponent (OpenMetrics style).
char* WriteOpenMetricsFloat(char* out, double value);

}  // namespace millrace::exposition
