#pragma once
// Where collectors put their samples. A MetricWriter holds the samples of one collector in the
// wire format of the reply; an Assembler joins the writers of all collectors into one exposition
// in which every family appears once, sorted by name. Both keep their memory: a scrape that is
// like the last one allocates nothing.
//   w.Family("node_arp_entries", MetricType::kGauge, "ARP entries by device");
//   w.Sample({{"device", name}}, count);
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::exposition {

/// What the scraper understands (see negotiate.h).
enum class Format : unsigned char { kText, kOpenMetrics, kProtobuf };

/// Values are those of io.prometheus.client.MetricType.
enum class MetricType : unsigned char {
  kCounter = 0,
  kGauge = 1,
  kSummary = 2,
  kUntyped = 3,
  kHistogram = 4
};

/// Name, type and help of a family, for tables of constants.
struct Metric {
  std::string_view name;
  MetricType type;
  std::string_view help;
};

struct Label {
  std::string_view name, value;
};

/// `bound` is the `le` of a bucket (`value`: cumulative count) or the quantile of a summary.
struct Point {
  double bound, value;
};

/// A request that stands for a bucket. `label.value` empty: none. Name and value of the label have
/// at most 128 characters together (OpenMetrics 1.0).
struct BucketExemplar {
  Label label;
  double value = 0;
  double unix_seconds = 0;
};

struct NativeSpan {
  std::int32_t offset;  ///< From the end of the span before; the first from bucket 0.
  std::uint32_t length;
};
/// An exponential histogram: bucket i of schema s ends at 2^(i * 2^-s).
struct NativeHistogram {
  std::int32_t schema = 3;
  double zero_threshold = 0;
  std::uint64_t zero_count = 0;
  std::span<const NativeSpan> spans;
  std::span<const std::int64_t> deltas;  ///< Each bucket's count less that of the one before.
};
/// What not every format can carry: exemplars need OpenMetrics or protobuf, native histograms need
/// protobuf. Elsewhere they are left out.
struct HistogramExtras {
  std::span<const BucketExemplar> exemplars;  ///< One a bucket and one for +Inf, or none.
  const NativeHistogram* native = nullptr;
};

/// Not thread safe: one collector writes at a time.
class MetricWriter {
 public:
  /// Forgets what was written, keeps the memory.
  void Reset(Format format);

  /// The samples that follow belong to this family. May be called again with a name that was
  /// used before, by this collector or another one: the samples are joined, the first HELP and
  /// TYPE count. A family without samples does not appear. A name that is not one in Prometheus'
  /// formats (made from a file's content, say) takes its samples with it: see rejected().
  void Family(std::string_view name, MetricType type, std::string_view help);
  void Family(const Metric& metric) { Family(metric.name, metric.type, metric.help); }

  /// Label values are escaped here and nowhere else; bytes that are not UTF-8 become U+FFFD.
  void Sample(double value) { Sample(std::span<const Label>(), value); }
  void Sample(std::initializer_list<Label> labels, double value) {
    Sample(std::span<const Label>(labels.begin(), labels.size()), value);
  }
  void Sample(std::span<const Label> labels, double value);

  /// `buckets` without the one of +Inf, ascending; `count` is that of +Inf.
  void Histogram(std::span<const Label> labels, std::span<const Point> buckets, double sum,
                 double count, const HistogramExtras& extras = {});
  void Summary(std::span<const Label> labels, std::span<const Point> quantiles, double sum,
               double count);

  /// Family and one sample without labels.
  void Gauge(std::string_view name, std::string_view help, double value) {
    Family(name, MetricType::kGauge, help);
    Sample(value);
  }
  void Counter(std::string_view name, std::string_view help, double value) {
    Family(name, MetricType::kCounter, help);
    Sample(value);
  }

  [[nodiscard]] std::size_t samples() const { return samples_; }
  /// Families with a bad name since Reset.
  [[nodiscard]] std::size_t rejected() const { return rejected_; }
  [[nodiscard]] Format format() const { return format_; }

 private:
  friend class Assembler;
  /// A run of samples of one family: offsets into text_ (name, help) and body_ (samples).
  struct Segment {
    std::uint32_t name, name_size, help_size, begin, end;
    MetricType type;
  };
  [[nodiscard]] std::string_view NameOf(const Segment& s) const {
    return std::string_view(text_).substr(s.name, s.name_size);
  }
  char* Room(std::size_t bytes);
  void TextLine(std::string_view suffix, std::span<const Label> labels, const Label* last,
                double value, const BucketExemplar* exemplar = nullptr);
  char* TextExemplar(char* out, const BucketExemplar& exemplar) const;
  char* TextLabels(char* out, std::span<const Label> labels) const;
  void ProtoSample(std::span<const Label> labels, double value);
  void ProtoPoints(std::span<const Label> labels, std::span<const Point> points, double sum,
                   double count, const HistogramExtras& extras = {});
  void Commit(const char* end);
  char* WriteNumber(char* out, double value) const;

  Format format_ = Format::kText;
  std::string body_;  // used_ bytes of it are samples
  std::size_t used_ = 0;
  std::string text_;  // names and help
  std::vector<Segment> segments_;
  std::string_view current_;  // the family's name, in text_; refreshed when text_ grows
  std::size_t samples_ = 0, rejected_ = 0;
  bool discard_ = false;  // the current family has a bad name
};

/// Joins writers into one exposition. Not thread safe.
class Assembler {
 public:
  void Begin(Format format);
  /// `writer` must stay unchanged until Finish.
  void Add(const MetricWriter& writer);
  /// Replaces `out`. Segments whose type contradicts the family's first are left out: see
  /// `conflicts`.
  void Finish(std::string& out);
  /// Families that two writers gave different types in the last Finish.
  [[nodiscard]] std::size_t conflicts() const { return conflicts_; }

 private:
  struct Ref {
    std::string_view name;
    const MetricWriter* writer;
    const MetricWriter::Segment* segment;
    std::uint32_t order;
  };
  void Header(std::string& out, const Ref& first) const;
  void AppendFamily(std::string& out, std::size_t first, std::size_t end);

  Format format_ = Format::kText;
  std::vector<Ref> refs_;
  std::size_t conflicts_ = 0;
};

}  // namespace millrace::exposition
