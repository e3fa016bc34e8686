#include <algorithm>

#include "common/exposition/proto.h"
#include "common/exposition/writer.h"

namespace millrace::exposition {
namespace {

constexpr std::string_view TypeName(Format format, MetricType type, std::string_view name) {
  switch (type) {
    case MetricType::kCounter:
      // OpenMetrics has no counter without _total.
      return format == Format::kOpenMetrics && !name.ends_with("_total") ? "unknown" : "counter";
    case MetricType::kGauge:
      return "gauge";
    case MetricType::kSummary:
      return "summary";
    case MetricType::kHistogram:
      return "histogram";
    case MetricType::kUntyped:
      break;
  }
  return format == Format::kOpenMetrics ? "unknown" : "untyped";
}

void AppendHelp(std::string& out, std::string_view help, bool escape_quotes) {
  for (;;) {
    const auto at = help.find_first_of(escape_quotes ? "\\\n\"" : "\\\n");
    out.append(help.substr(0, at));
    if (at == std::string_view::npos) return;
    out += '\\';
    out += help[at] == '\n' ? 'n' : help[at];
    help.remove_prefix(at + 1);
  }
}

}  // namespace

void Assembler::Begin(Format format) {
  format_ = format;
  refs_.clear();
  conflicts_ = 0;
}

void Assembler::Add(const MetricWriter& writer) {
  for (const MetricWriter::Segment& s : writer.segments_) {
    if (s.begin == s.end) continue;
    refs_.push_back({writer.NameOf(s), &writer, &s, static_cast<std::uint32_t>(refs_.size())});
  }
}

void Assembler::Header(std::string& out, const Ref& first) const {
  const auto& s = *first.segment;
  const std::string_view help =
      std::string_view(first.writer->text_).substr(s.name + s.name_size, s.help_size);
  std::string_view name = first.name;
  const bool open_metrics = format_ == Format::kOpenMetrics;
  if (open_metrics && s.type == MetricType::kCounter && name.ends_with("_total"))
    name.remove_suffix(6);
  if (!help.empty()) {
    out.append("# HELP ").append(name) += ' ';
    AppendHelp(out, help, open_metrics);
    out += '\n';
  }
  out.append("# TYPE ").append(name) += ' ';
  out.append(TypeName(format_, s.type, first.name)) += '\n';
}

void Assembler::AppendFamily(std::string& out, std::size_t first, std::size_t end) {
  const Ref& head = refs_[first];
  const MetricType type = head.segment->type;
  const auto fits = [&](const Ref& r) { return r.segment->type == type; };
  if (format_ == Format::kProtobuf) {
    const auto& s = *head.segment;
    const std::string_view help =
        std::string_view(head.writer->text_).substr(s.name + s.name_size, s.help_size);
    std::size_t size = 1 + proto::VarintSize(head.name.size()) + head.name.size() + 2;
    if (!help.empty()) size += 1 + proto::VarintSize(help.size()) + help.size();
    for (std::size_t i = first; i < end; ++i)
      if (fits(refs_[i])) size += refs_[i].segment->end - refs_[i].segment->begin;
    char scratch[32];
    const auto put = [&](const char* to) {
      out.append(scratch, static_cast<std::size_t>(to - scratch));
    };
    put(proto::PutVarint(scratch, size));
    put(proto::PutHeader(scratch, 1, head.name.size()));
    out.append(head.name);
    if (!help.empty()) {
      put(proto::PutHeader(scratch, 2, help.size()));
      out.append(help);
    }
    put(proto::PutVarintField(scratch, 3, static_cast<std::uint64_t>(type)));
  } else {
    Header(out, head);
  }
  bool conflict = false;
  for (std::size_t i = first; i < end; ++i) {
    const auto& s = *refs_[i].segment;
    if (fits(refs_[i])) {
      out.append(refs_[i].writer->body_, s.begin, s.end - s.begin);
    } else {
      conflict = true;
    }
  }
  if (conflict) ++conflicts_;
}

void Assembler::Finish(std::string& out) {
  out.clear();
  const auto before = [](const Ref& a, const Ref& b) {
    const int c = a.name.compare(b.name);
    return c != 0 ? c < 0 : a.order < b.order;
  };
  std::sort(refs_.begin(), refs_.end(), before);
  for (std::size_t i = 0; i < refs_.size();) {
    std::size_t end = i + 1;
    while (end < refs_.size() && refs_[end].name == refs_[i].name) ++end;
    AppendFamily(out, i, end);
    i = end;
  }
  if (format_ == Format::kOpenMetrics) out += "# EOF\n";
}

}  // namespace millrace::exposition
