#include "agent/encode/value.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "agent/core/escape.h"

namespace millrace::agent {

void AppendInteger(Buffer& out, std::int64_t v) {
  char* p = out.Reserve(24);
  out.CommitTo(std::to_chars(p, p + 24, v).ptr);
}

void AppendDouble(Buffer& out, double v) {
  if (!std::isfinite(v)) return out.Append("null");
  char* p = out.Reserve(40);
  char* end = std::to_chars(p, p + 32, v).ptr;
  if (std::none_of(p, end, [](char c) { return c == '.' || c == 'e'; })) {
    *end++ = '.';
    *end++ = '0';
  }
  out.CommitTo(end);
}

void AppendOneLine(Buffer& out, std::string_view json) {
  const std::size_t start = out.size();
  out.Append(json);
  const auto blank = [&](char c) {
    char* p = out.data() + start;
    char* const end = out.data() + out.size();
    while ((p = static_cast<char*>(std::memchr(p, c, static_cast<std::size_t>(end - p)))) !=
           nullptr)
      *p++ = ' ';
  };
  blank('\n');
  blank('\r');
}

void ValueWriter::AppendTime(Buffer& out, std::int64_t ns) {
  const auto floor = [ns](std::int64_t unit) { return ns / unit - (ns % unit < 0 ? 1 : 0); };
  switch (format_) {
    case TimestampFormat::kRfc3339: {
      char* p = out.Reserve(kMaxRfc3339 + 2);
      *p++ = '"';
      p = rfc3339_.Write(ns, p);
      *p++ = '"';
      return out.CommitTo(p);
    }
    case TimestampFormat::kUnix:
      return AppendInteger(out, floor(1'000'000'000));
    case TimestampFormat::kUnixMs:
      return AppendInteger(out, floor(1'000'000));
    case TimestampFormat::kUnixNs:
      return AppendInteger(out, ns);
  }
}

void ValueWriter::Append(Buffer& out, const Field& field) {
  switch (field.type) {
    case Type::kNull:
      return out.Append("null");
    case Type::kBool:
      return out.Append(field.i64 != 0 ? "true" : "false");
    case Type::kInt:
      return AppendInteger(out, field.i64);
    case Type::kDouble:
      return AppendDouble(out, field.f64);
    case Type::kString:
      out.Append('"');
      AppendEscaped(out, field.text());
      return out.Append('"');
    case Type::kJsonString:
      out.Append('"');
      out.Append(field.text());
      return out.Append('"');
    case Type::kRawJson:
      return AppendOneLine(out, field.text());
    case Type::kTimestamp:
      return AppendTime(out, field.i64);
  }
}

void AppendPlain(Buffer& out, const Field& field) {
  switch (field.type) {
    case Type::kNull:
      return;
    case Type::kBool:
      return out.Append(field.i64 != 0 ? "true" : "false");
    case Type::kInt:
      return AppendInteger(out, field.i64);
    case Type::kDouble:
      return AppendDouble(out, field.f64);
    case Type::kString:
      return out.Append(field.text());
    case Type::kJsonString:
      return AppendUnescaped(out, field.text());
    case Type::kRawJson:
      return AppendOneLine(out, field.text());
    case Type::kTimestamp: {
      char* p = out.Reserve(kMaxRfc3339);
      return out.CommitTo(WriteRfc3339(field.i64, p));
    }
  }
}

}  // namespace millrace::agent
