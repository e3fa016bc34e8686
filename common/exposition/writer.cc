#include "common/exposition/writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <limits>

#include "common/exposition/number.h"
#include "common/exposition/proto.h"
#include "common/exposition/utf8.h"

namespace millrace::exposition {
namespace {

// What a byte of a label value needs: nothing, a backslash, or a look at the UTF-8 sequence.
enum : unsigned char { kPlain, kEscape, kWide };

constexpr std::array<unsigned char, 256> kByteClass = [] {
  std::array<unsigned char, 256> table{};
  for (std::size_t i = 128; i < 256; ++i) table[i] = kWide;
  table['\\'] = table['"'] = table['\n'] = kEscape;
  return table;
}();

// [a-zA-Z_:][a-zA-Z0-9_:]*
bool IsMetricName(std::string_view name) {
  if (name.empty() || (name[0] >= '0' && name[0] <= '9')) return false;
  for (const char c : name) {
    const bool fine = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == ':';
    if (!fine) return false;
  }
  return true;
}

char* Put(char* out, std::string_view s) {
  if (!s.empty()) std::memcpy(out, s.data(), s.size());  // an empty view may be null
  return out + s.size();
}

char* PutUtf8(char* out, std::string_view s) {
  while (!s.empty()) {
    const std::size_t n = Utf8SequenceLength(s);
    out = Put(out, n == 0 ? kReplacement : s.substr(0, n));
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

char* PutEscaped(char* out, std::string_view s) {
  while (!s.empty()) {
    std::size_t i = 0;
    while (i < s.size() && kByteClass[static_cast<unsigned char>(s[i])] == kPlain) ++i;
    out = Put(out, s.substr(0, i));
    if (i == s.size()) return out;
    s.remove_prefix(i);
    if (kByteClass[static_cast<unsigned char>(s[0])] == kEscape) {
      *out++ = '\\';
      *out++ = s[0] == '\n' ? 'n' : s[0];
      s.remove_prefix(1);
      continue;
    }
    const std::size_t n = Utf8SequenceLength(s);
    out = Put(out, n == 0 ? kReplacement : s.substr(0, n));
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

bool IsAscii(std::string_view s) {
  for (const char c : s)
    if (kByteClass[static_cast<unsigned char>(c)] == kWide) return false;
  return true;
}

// The longest a label can become: every byte of its value may grow to three.
std::size_t LabelRoom(std::span<const Label> labels) {
  std::size_t n = 0;
  for (const Label& l : labels) n += l.name.size() + 3 * l.value.size() + 4;
  return n;
}

// The length a value has once bytes that are not UTF-8 are replaced.
std::size_t Utf8Size(std::string_view s) {
  if (IsAscii(s)) return s.size();
  std::size_t size = 0;
  while (!s.empty()) {
    const std::size_t n = Utf8SequenceLength(s);
    size += n == 0 ? kReplacement.size() : n;
    s.remove_prefix(n == 0 ? 1 : n);
  }
  return size;
}

}  // namespace

void MetricWriter::Reset(Format format) {
  format_ = format;
  used_ = 0;
  text_.clear();
  segments_.clear();
  current_ = {};
  samples_ = rejected_ = 0;
  discard_ = false;
}

char* MetricWriter::Room(std::size_t bytes) {
  // resize() zeroes only what is new: the buffer never shrinks, so that happens on growth alone.
  if (body_.size() - used_ < bytes) body_.resize(std::max(body_.size() * 2, used_ + bytes + 4096));
  return body_.data() + used_;
}

void MetricWriter::Commit(const char* end) {
  used_ = static_cast<std::size_t>(end - body_.data());
  segments_.back().end = static_cast<std::uint32_t>(used_);
  ++samples_;
}

void MetricWriter::Family(std::string_view name, MetricType type, std::string_view help) {
  discard_ = !IsMetricName(name);
  if (discard_) {
    ++rejected_;
    return;
  }
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(help);
  segments_.push_back({at, static_cast<std::uint32_t>(name.size()),
                       static_cast<std::uint32_t>(help.size()), static_cast<std::uint32_t>(used_),
                       static_cast<std::uint32_t>(used_), type});
  current_ = std::string_view(text_).substr(at, name.size());
}

char* MetricWriter::WriteNumber(char* out, double value) const {
  return format_ == Format::kOpenMetrics ? WriteOpenMetricsFloat(out, value)
                                         : WriteGoFloat(out, value);
}

char* MetricWriter::TextLabels(char* out, std::span<const Label> labels) const {
  for (const Label& l : labels) {
    out = Put(out, l.name);
    *out++ = '=';
    *out++ = '"';
    out = PutEscaped(out, l.value);
    *out++ = '"';
    *out++ = ',';
  }
  return out;
}

char* MetricWriter::TextExemplar(char* out, const BucketExemplar& e) const {
  out = Put(out, " # {");
  out = TextLabels(out, {&e.label, 1});
  out[-1] = '}';
  *out++ = ' ';
  out = WriteNumber(out, e.value);
  *out++ = ' ';
  // Not WriteNumber: its shortest form of a date is 1.7e+09.
  return std::to_chars(out, out + 24, e.unix_seconds, std::chars_format::fixed, 3).ptr;
}

void MetricWriter::TextLine(std::string_view suffix, std::span<const Label> labels,
                            const Label* last, double value, const BucketExemplar* exemplar) {
  if (exemplar != nullptr && exemplar->label.value.empty()) exemplar = nullptr;
  std::size_t need = current_.size() + suffix.size() + LabelRoom(labels) + kMaxNumber + 8;
  if (last != nullptr) need += LabelRoom({last, 1});
  if (exemplar != nullptr) need += LabelRoom({&exemplar->label, 1}) + kMaxNumber + 40;
  char* out = Room(need);
  out = Put(out, current_);
  out = Put(out, suffix);
  if (!labels.empty() || last != nullptr) {
    *out++ = '{';
    out = TextLabels(out, labels);
    if (last != nullptr) out = TextLabels(out, {last, 1});
    out[-1] = '}';
  }
  *out++ = ' ';
  out = WriteNumber(out, value);
  if (exemplar != nullptr) out = TextExemplar(out, *exemplar);
  *out++ = '\n';
  Commit(out);
}

void MetricWriter::Sample(std::span<const Label> labels, double value) {
  if (discard_) return;
  if (format_ == Format::kProtobuf) {
    ProtoSample(labels, value);
  } else {
    TextLine({}, labels, nullptr, value);
  }
}

void MetricWriter::Histogram(std::span<const Label> labels, std::span<const Point> buckets,
                             double sum, double count, const HistogramExtras& extras) {
  if (discard_) return;
  if (format_ == Format::kProtobuf) return ProtoPoints(labels, buckets, sum, count, extras);
  std::array<char, kMaxNumber> number{};
  const bool exemplars =
      format_ == Format::kOpenMetrics && extras.exemplars.size() == buckets.size() + 1;
  std::size_t at = 0;
  const auto bucket = [&](double bound, double value) {
    const char* end = WriteNumber(number.data(), bound);
    const Label le{"le", {number.data(), static_cast<std::size_t>(end - number.data())}};
    TextLine("_bucket", labels, &le, value, exemplars ? &extras.exemplars[at++] : nullptr);
  };
  for (const Point& p : buckets) bucket(p.bound, p.value);
  bucket(std::numeric_limits<double>::infinity(), count);
  TextLine("_sum", labels, nullptr, sum);
  TextLine("_count", labels, nullptr, count);
}

void MetricWriter::Summary(std::span<const Label> labels, std::span<const Point> quantiles,
                           double sum, double count) {
  if (discard_) return;
  if (format_ == Format::kProtobuf) return ProtoPoints(labels, quantiles, sum, count);
  std::array<char, kMaxNumber> number{};
  for (const Point& p : quantiles) {
    const char* end = WriteNumber(number.data(), p.bound);
    const Label quantile{"quantile",
                         {number.data(), static_cast<std::size_t>(end - number.data())}};
    TextLine({}, labels, &quantile, p.value);
  }
  TextLine("_sum", labels, nullptr, sum);
  TextLine("_count", labels, nullptr, count);
}

namespace {

// Field numbers of io.prometheus.client (client_model, metrics.proto).
constexpr unsigned kFamilyMetric = 4;
constexpr unsigned kMetricLabel = 1;
constexpr unsigned kSampleCount = 1, kSampleSum = 2, kPoint = 3;
// Where a value of each MetricType stands in Metric.
constexpr std::array<unsigned, 5> kValueField = {3, 2, 4, 5, 7};
constexpr std::size_t kDoubleField = 9;  // key and eight bytes

std::size_t ProtoLabelSize(const Label& l) {
  const std::size_t value = Utf8Size(l.value);
  return 2 + proto::VarintSize(l.name.size()) + l.name.size() + proto::VarintSize(value) + value;
}

std::size_t ProtoLabelsSize(std::span<const Label> labels) {
  std::size_t n = 0;
  for (const Label& l : labels) {
    const std::size_t size = ProtoLabelSize(l);
    n += 1 + proto::VarintSize(size) + size;
  }
  return n;
}

char* PutProtoLabels(char* out, std::span<const Label> labels) {
  for (const Label& l : labels) {
    out = proto::PutHeader(out, kMetricLabel, ProtoLabelSize(l));
    out = proto::PutHeader(out, 1, l.name.size());
    out = Put(out, l.name);
    const std::size_t value = Utf8Size(l.value);
    out = proto::PutHeader(out, 2, value);
    out = value == l.value.size() ? Put(out, l.value) : PutUtf8(out, l.value);
  }
  return out;
}

}  // namespace

void MetricWriter::ProtoSample(std::span<const Label> labels, double value) {
  const std::size_t size = ProtoLabelsSize(labels) + 2 + kDoubleField;
  char* out = Room(size + 12);
  out = proto::PutHeader(out, kFamilyMetric, size);
  out = PutProtoLabels(out, labels);
  out = proto::PutHeader(out, kValueField[static_cast<std::size_t>(segments_.back().type)],
                         kDoubleField);
  out = proto::PutDouble(out, 1, value);
  Commit(out);
}

namespace {

// Exemplar{label = 1, value = 2, timestamp = 3}; Timestamp{seconds = 1, nanos = 2}.
struct ProtoTime {
  explicit ProtoTime(double unix_seconds)
      : seconds(static_cast<std::uint64_t>(std::max(0.0, unix_seconds))),
        nanos(static_cast<std::uint64_t>(
            std::max(0.0, (unix_seconds - static_cast<double>(seconds)) * 1e9))) {}
  [[nodiscard]] std::size_t size() const {
    return 2 + proto::VarintSize(seconds) + proto::VarintSize(nanos);
  }
  std::uint64_t seconds, nanos;
};

std::size_t ProtoExemplarSize(const BucketExemplar& e) {
  return ProtoLabelsSize({&e.label, 1}) + kDoubleField + 2 + ProtoTime(e.unix_seconds).size();
}

char* PutProtoExemplar(char* out, const BucketExemplar& e) {
  const ProtoTime time(e.unix_seconds);
  out = PutProtoLabels(out, {&e.label, 1});
  out = proto::PutDouble(out, 2, e.value);
  out = proto::PutHeader(out, 3, time.size());
  out = proto::PutVarintField(out, 1, time.seconds);
  return proto::PutVarintField(out, 2, time.nanos);
}

std::uint64_t ZigZag(std::int64_t v) {
  return static_cast<std::uint64_t>(v) << 1 ^ static_cast<std::uint64_t>(v >> 63);
}

// Of Histogram: schema = 5 (sint32), zero_threshold = 6, zero_count = 7, positive_span = 12,
// positive_delta = 13 (packed sint64).
std::size_t ProtoSpanSize(const NativeSpan& s) {
  return 2 + proto::VarintSize(ZigZag(s.offset)) + proto::VarintSize(s.length);
}

std::size_t ProtoDeltasSize(const NativeHistogram& n) {
  std::size_t size = 0;
  for (const std::int64_t d : n.deltas) size += proto::VarintSize(ZigZag(d));
  return size;
}

std::size_t ProtoNativeSize(const NativeHistogram& n) {
  std::size_t size =
      1 + proto::VarintSize(ZigZag(n.schema)) + kDoubleField + 1 + proto::VarintSize(n.zero_count);
  for (const NativeSpan& s : n.spans) size += 2 + ProtoSpanSize(s);
  const std::size_t deltas = ProtoDeltasSize(n);
  return size + 1 + proto::VarintSize(deltas) + deltas;
}

char* PutProtoNative(char* out, const NativeHistogram& n) {
  out = proto::PutVarintField(out, 5, ZigZag(n.schema));
  out = proto::PutDouble(out, 6, n.zero_threshold);
  out = proto::PutVarintField(out, 7, n.zero_count);
  for (const NativeSpan& s : n.spans) {
    out = proto::PutHeader(out, 12, ProtoSpanSize(s));
    out = proto::PutVarintField(out, 1, ZigZag(s.offset));
    out = proto::PutVarintField(out, 2, s.length);
  }
  out = proto::PutHeader(out, 13, ProtoDeltasSize(n));
  for (const std::int64_t d : n.deltas) out = proto::PutVarint(out, ZigZag(d));
  return out;
}

}  // namespace

void MetricWriter::ProtoPoints(std::span<const Label> labels, std::span<const Point> points,
                               double sum, double count, const HistogramExtras& extras) {
  const bool histogram = segments_.back().type == MetricType::kHistogram;
  const bool exemplars = extras.exemplars.size() == points.size() + 1;
  const auto whole = [](double v) {
    return v > 0 && v < 1.8e19 ? static_cast<std::uint64_t>(v) : std::uint64_t{0};
  };
  // The bucket of +Inf is implied by the count, unless it has an exemplar to carry.
  const bool infinite = exemplars && !extras.exemplars.back().label.value.empty();
  const std::size_t n = points.size() + (infinite ? 1 : 0);
  const auto point = [&](std::size_t i) {
    return i < points.size() ? points[i] : Point{std::numeric_limits<double>::infinity(), count};
  };
  const auto exemplar = [&](std::size_t i) -> const BucketExemplar* {
    return exemplars && !extras.exemplars[i].label.value.empty() ? &extras.exemplars[i] : nullptr;
  };
  // Bucket{cumulative_count = 1 (varint), upper_bound = 2, exemplar = 3};
  // Quantile{quantile = 1, value = 2}.
  const auto point_size = [&](std::size_t i) {
    if (!histogram) return 2 * kDoubleField;
    std::size_t size = 1 + proto::VarintSize(whole(point(i).value)) + kDoubleField;
    if (const BucketExemplar* e = exemplar(i)) {
      const std::size_t inner = ProtoExemplarSize(*e);
      size += 1 + proto::VarintSize(inner) + inner;
    }
    return size;
  };
  std::size_t body = 1 + proto::VarintSize(whole(count)) + kDoubleField;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t size = point_size(i);
    body += 1 + proto::VarintSize(size) + size;
  }
  if (extras.native != nullptr) body += ProtoNativeSize(*extras.native);
  const std::size_t size = ProtoLabelsSize(labels) + 1 + proto::VarintSize(body) + body;
  char* out = Room(size + 12);
  out = proto::PutHeader(out, kFamilyMetric, size);
  out = PutProtoLabels(out, labels);
  out = proto::PutHeader(out, kValueField[static_cast<std::size_t>(segments_.back().type)], body);
  out = proto::PutVarintField(out, kSampleCount, whole(count));
  out = proto::PutDouble(out, kSampleSum, sum);
  for (std::size_t i = 0; i < n; ++i) {
    const Point p = point(i);
    out = proto::PutHeader(out, kPoint, point_size(i));
    out = histogram ? proto::PutVarintField(out, 1, whole(p.value))
                    : proto::PutDouble(out, 1, p.bound);
    out = proto::PutDouble(out, 2, histogram ? p.bound : p.value);
    if (const BucketExemplar* e = exemplar(i)) {
      out = proto::PutHeader(out, 3, ProtoExemplarSize(*e));
      out = PutProtoExemplar(out, *e);
    }
  }
  if (extras.native != nullptr) out = PutProtoNative(out, *extras.native);
  Commit(out);
}

}  // namespace millrace::exposition
