#include "exporters/app_metrics/src/page.h"

#include <algorithm>
#include <array>

namespace millrace::app_metrics {
namespace {

using exposition::BucketExemplar;
using exposition::Label;
using exposition::NativeHistogram;
using exposition::NativeSpan;
using exposition::Point;

// Spans and deltas of the native buckets that are not empty; gaps of up to two empty buckets are
// cheaper written out than begun anew.
struct NativeForm {
  void Fill(const HistogramSnapshot& h) {
    spans.clear();
    deltas.clear();
    std::int64_t before = 0;
    std::int32_t next = 0;  // index after the last span
    std::size_t i = 0;
    while (i < h.native.size()) {
      if (h.native[i] == 0) {
        ++i;
        continue;
      }
      std::size_t end = i + 1, empty = 0;
      for (std::size_t j = end; j < h.native.size() && empty <= 2; ++j) {
        empty = h.native[j] == 0 ? empty + 1 : 0;
        if (empty == 0) end = j + 1;
      }
      const std::int32_t index = kNativeFirst + static_cast<std::int32_t>(i);
      spans.push_back({index - next, static_cast<std::uint32_t>(end - i)});
      next = index + static_cast<std::int32_t>(end - i);
      for (; i < end; ++i) {
        const auto n = static_cast<std::int64_t>(h.native[i]);
        deltas.push_back(n - before);
        before = n;
      }
    }
    native = {kNativeSchema, kNativeZeroThreshold, h.native_zero, spans, deltas};
  }
  std::vector<NativeSpan> spans;
  std::vector<std::int64_t> deltas;
  NativeHistogram native;
};

class ExpositionSink : public FamilySink {
 public:
  explicit ExpositionSink(exposition::MetricWriter& out) : out_(out) {}
  void Family(std::string_view name, Type type, std::string_view help) override {
    out_.Family(name, type, help);
  }
  void Sample(Labels labels, double value) override { out_.Sample(labels, value); }
  void Histogram(Labels labels, const HistogramLayout& layout, const HistogramSnapshot& h,
                 const ExemplarSlots* slots) override {
    const bool text = out_.format() == exposition::Format::kText;
    points_.clear();
    exemplars_.clear();
    std::uint64_t count = 0;
    for (std::size_t b = 0; b < layout.bounds.size(); ++b) {
      count += h.buckets[b];
      points_.push_back({layout.bounds[b], static_cast<double>(count)});
    }
    count += h.buckets.back();
    if (slots != nullptr && !text) ReadExemplars(*slots, h.buckets.size());
    exposition::HistogramExtras extras;
    extras.exemplars = exemplars_;
    if (out_.format() == exposition::Format::kProtobuf && layout.native) {
      native_.Fill(h);
      extras.native = &native_.native;
      // A server refuses a native histogram whose count is not the sum of its buckets. Both kinds
      // of bucket are read one after the other while others write: the native ones decide.
      count = h.native_zero;
      for (const std::uint64_t n : h.native) count += n;
      for (Point& p : points_) p.value = std::min(p.value, static_cast<double>(count));
    }
    out_.Histogram(labels, points_, h.sum, static_cast<double>(count), extras);
  }

 private:
  void ReadExemplars(const ExemplarSlots& slots, std::size_t buckets) {
    kept_.resize(buckets);
    for (std::size_t b = 0; b < buckets; ++b) {
      Exemplar& e = kept_[b];
      if (!slots.Read(b, e)) {
        exemplars_.push_back({});
        continue;
      }
      exemplars_.push_back({{e.is_trace ? "trace_id" : "request_id", {e.id.data(), e.id_size}},
                            e.value,
                            static_cast<double>(e.unix_ms) / 1000});
    }
  }
  exposition::MetricWriter& out_;
  std::vector<Point> points_;
  std::vector<BucketExemplar> exemplars_;
  std::vector<Exemplar> kept_;
  NativeForm native_;
};

// For Collectable.
class ClientMetricSink : public FamilySink {
 public:
  std::vector<prometheus::MetricFamily> families;

  void Family(std::string_view name, Type type, std::string_view help) override {
    prometheus::MetricFamily f;
    f.name = name;
    f.help = help;
    f.type = type == Type::kCounter     ? prometheus::MetricType::Counter
             : type == Type::kHistogram ? prometheus::MetricType::Histogram
                                        : prometheus::MetricType::Gauge;
    families.push_back(std::move(f));
  }
  void Sample(Labels labels, double value) override {
    prometheus::ClientMetric& m = Add(labels);
    (families.back().type == prometheus::MetricType::Counter ? m.counter.value : m.gauge.value) =
        value;
  }
  void Histogram(Labels labels, const HistogramLayout& layout, const HistogramSnapshot& h,
                 const ExemplarSlots* /*slots*/) override {
    auto& out = Add(labels).histogram;
    for (std::size_t b = 0; b < h.buckets.size(); ++b) {
      out.sample_count += h.buckets[b];
      out.bucket.push_back({out.sample_count, b < layout.bounds.size()
                                                  ? layout.bounds[b]
                                                  : std::numeric_limits<double>::infinity()});
    }
    out.sample_sum = h.sum;
  }

 private:
  prometheus::ClientMetric& Add(Labels labels) {
    prometheus::ClientMetric& m = families.back().metric.emplace_back();
    for (const Label& l : labels) m.label.push_back({std::string(l.name), std::string(l.value)});
    return m;
  }
};

class Collector : public prometheus::Collectable {
 public:
  explicit Collector(AppMetrics::Impl& impl) : impl_(impl) {}
  std::vector<prometheus::MetricFamily> Collect() const override {
    ClientMetricSink sink;
    WriteFamilies(impl_, sink);
    std::erase_if(sink.families, [](const auto& f) { return f.metric.empty(); });
    return std::move(sink.families);
  }

 private:
  AppMetrics::Impl& impl_;
};

// A family that the program registered with prometheus-cpp.
class RegistryWriter {
 public:
  explicit RegistryWriter(exposition::MetricWriter& out) : out_(out) {}
  void Write(const prometheus::MetricFamily& family) {
    using P = prometheus::MetricType;
    using T = exposition::MetricType;
    const T type = family.type == P::Counter     ? T::kCounter
                   : family.type == P::Gauge     ? T::kGauge
                   : family.type == P::Summary   ? T::kSummary
                   : family.type == P::Histogram ? T::kHistogram
                                                 : T::kUntyped;
    out_.Family(family.name, type, family.help);
    for (const prometheus::ClientMetric& m : family.metric) {
      labels_.clear();
      for (const auto& l : m.label) labels_.push_back({l.name, l.value});
      points_.clear();
      if (type == T::kHistogram) {
        for (const auto& b : m.histogram.bucket)
          if (b.upper_bound < std::numeric_limits<double>::infinity())
            points_.push_back({b.upper_bound, static_cast<double>(b.cumulative_count)});
        out_.Histogram(labels_, points_, m.histogram.sample_sum,
                       static_cast<double>(m.histogram.sample_count));
      } else if (type == T::kSummary) {
        for (const auto& q : m.summary.quantile) points_.push_back({q.quantile, q.value});
        out_.Summary(labels_, points_, m.summary.sample_sum,
                     static_cast<double>(m.summary.sample_count));
      } else {
        out_.Sample(labels_, type == T::kCounter ? m.counter.value
                             : type == T::kGauge ? m.gauge.value
                                                 : m.untyped.value);
      }
    }
  }

 private:
  exposition::MetricWriter& out_;
  std::vector<Label> labels_;
  std::vector<Point> points_;
};

}  // namespace

std::string BuildPage(AppMetrics::Impl& impl, exposition::Format format) {
  exposition::MetricWriter writer;
  writer.Reset(format);
  ExpositionSink sink(writer);
  WriteFamilies(impl, sink);
  std::vector<std::shared_ptr<prometheus::Collectable>> others = {impl.registry};
  {
    const std::lock_guard lock(impl.collectables_mu);
    for (const auto& weak : impl.collectables)
      if (auto strong = weak.lock()) others.push_back(std::move(strong));
  }
  RegistryWriter from_registry(writer);
  for (const auto& other : others)
    for (const auto& family : other->Collect()) from_registry.Write(family);
  exposition::Assembler assembler;
  assembler.Begin(format);
  assembler.Add(writer);
  std::string page;
  assembler.Finish(page);
  return page;
}

std::shared_ptr<prometheus::Collectable> Internals::MakeCollectable(AppMetrics& m) {
  return std::make_shared<Collector>(Of(m));
}

}  // namespace millrace::app_metrics
