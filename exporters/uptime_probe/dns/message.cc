#include "exporters/uptime_probe/dns/message.h"

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/dns/names.h"
#include "exporters/uptime_probe/dns/reader.h"

namespace millrace::uptime_probe::dns {

std::string Record::Text() const {
  return fmt::format("{}\t{}\t{}\t{}\t{}", name, ttl, ClassName(class_), TypeName(type), text);
}

namespace {

void Put16(std::string& out, unsigned v) {
  out += static_cast<char>(v >> 8);
  out += static_cast<char>(v);
}

Status PutName(std::string& out, std::string_view name) {
  const std::size_t begin = out.size();
  std::string label;
  const auto flush = [&]() -> bool {
    if (label.empty() || label.size() > 63) return false;
    out += static_cast<char>(label.size());
    out += label;
    label.clear();
    return true;
  };
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (name[i] == '.') {
      if (name == ".") break;
      if (!flush())
        return Fail(ErrorCode::kInvalidArgument, "bad domain name: empty or long label");
    } else if (name[i] == '\\' && i + 3 < name.size() &&
               ParseNumber<std::uint8_t>(name.substr(i + 1, 3))) {
      label += static_cast<char>(*ParseNumber<std::uint8_t>(name.substr(i + 1, 3)));
      i += 3;
    } else if (name[i] == '\\' && i + 1 < name.size()) {
      label += name[++i];
    } else {
      label += name[i];
    }
  }
  if (!label.empty() && !flush())
    return Fail(ErrorCode::kInvalidArgument, "bad domain name: long label");
  out += '\0';
  if (out.size() - begin > 255)
    return Fail(ErrorCode::kInvalidArgument, "bad domain name: too long");
  return {};
}

/// False at the regular end of the message: servers that cut an answer leave the counts as they
/// were.
bool ReadRecord(std::string_view bytes, Reader& r, Record& record) {
  if (r.left() == 0) return false;
  record.name = r.Name();
  record.type = r.U16();
  record.class_ = r.U16();
  record.ttl = r.U32();
  const std::size_t size = r.U16();
  const std::size_t begin = r.at();
  record.data = std::string(r.Bytes(size));
  if (!r.ok()) return false;
  Reader data(bytes, begin, begin + size);
  record.text = DataText(record.type, data, record.serial);
  if (!data.ok() || data.left() != 0) r.Fail();
  return r.ok();
}

}  // namespace

Result<std::string> BuildQuery(std::uint16_t id, const Question& question, bool recursion_desired) {
  std::string out;
  Put16(out, id);
  Put16(out, recursion_desired ? 0x0100U : 0U);
  Put16(out, 1);
  Put16(out, 0);
  Put16(out, 0);
  Put16(out, 0);
  MILLRACE_TRY(PutName(out, question.name));
  Put16(out, question.type);
  Put16(out, question.class_);
  return out;
}

Result<Message> ParseMessage(std::string_view bytes) {
  Reader r(bytes, 0, bytes.size());
  Message m;
  m.id = r.U16();
  const unsigned flags = r.U16();
  m.response = (flags & 0x8000) != 0;
  m.truncated = (flags & 0x0200) != 0;
  m.rcode = static_cast<int>(flags & 15);
  const unsigned questions = r.U16();
  const unsigned counts[3] = {r.U16(), r.U16(), r.U16()};
  if (!r.ok()) return Fail(ErrorCode::kParse, "dns: message too short");
  for (unsigned i = 0; i < questions && r.left() > 0; ++i) {
    (void)r.Name();
    (void)r.U32();
  }
  std::vector<Record>* sections[3] = {&m.answer, &m.authority, &m.additional};
  for (int s = 0; s < 3; ++s) {
    for (unsigned i = 0; i < counts[s]; ++i) {
      Record record;
      if (!ReadRecord(bytes, r, record)) break;
      // RFC 6891: the upper bits of the code stand in the TTL of OPT.
      if (record.type == 41) m.rcode |= static_cast<int>(record.ttl >> 24) << 4;
      sections[s]->push_back(std::move(record));
    }
  }
  if (!r.ok()) return Fail(ErrorCode::kParse, "dns: broken record");
  return m;
}

}  // namespace millrace::uptime_probe::dns
