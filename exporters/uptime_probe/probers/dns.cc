#include <algorithm>
#include <array>
#include <cerrno>
#include <random>

#include <netinet/in.h>
#include <sys/socket.h>

#include "exporters/uptime_probe/dns/message.h"
#include "exporters/uptime_probe/dns/names.h"
#include "exporters/uptime_probe/probers/address.h"
#include "exporters/uptime_probe/probers/probers.h"
#include "exporters/uptime_probe/probers/tls_metrics.h"

namespace millrace::uptime_probe {
namespace {

std::uint16_t RandomId() {
  // What a forger of answers must guess: from the kernel, not from a generator with state.
  thread_local std::random_device device;
  return static_cast<std::uint16_t>(device());
}

class DnsExchange {
 public:
  explicit DnsExchange(ProbeContext& context) : context_(context), c_(context.module.dns) {}

  bool Run();

 private:
  Result<dns::Message> AskUdp(const IpAddress& ip, std::uint16_t port, const IpAddress* source);
  Result<dns::Message> AskStream(const IpAddress& ip, std::uint16_t port, const IpAddress* source);
  bool Evaluate(const dns::Message& answer);
  bool ValidCode(int rcode);
  bool ValidRecords(const std::vector<dns::Record>& records, const RrValidator& rules);

  ProbeContext& context_;
  const DnsProbe& c_;
  std::string query_;
  std::uint16_t id_ = 0;
  Clock::time_point connected_{};
  std::string host_;
  std::string_view stage_ = "connect";
};

Result<dns::Message> DnsExchange::AskUdp(const IpAddress& ip, std::uint16_t port,
                                         const IpAddress* source) {
  Fd fd(::socket(ip.v6 ? AF_INET6 : AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("socket", errno);
  if (source != nullptr) {
    const SocketAddress from = MakeSocketAddress(*source, 0);
    if (::bind(fd.get(), from.get(), from.size) != 0)
      return FailErrno("bind " + source->Text(), errno);
  }
  // Connected: the kernel drops datagrams of others and reports a closed port.
  const SocketAddress to = MakeSocketAddress(ip, port);
  if (::connect(fd.get(), to.get(), to.size) != 0) return FailErrno("connect", errno);
  connected_ = Clock::now();
  stage_ = "read";
  if (::send(fd.get(), query_.data(), query_.size(), MSG_NOSIGNAL) < 0)
    return FailErrno("send", errno);
  std::array<char, 65536> buffer;
  for (;;) {
    MILLRACE_TRY(Wait(fd.get(), WaitFor::kReadable, context_.deadline));
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return FailErrno("read", errno);
    }
    stage_ = "dns_answer";
    MILLRACE_ASSIGN(dns::Message m,
                    dns::ParseMessage({buffer.data(), static_cast<std::size_t>(n)}));
    if (m.id == id_) return m;
    stage_ = "read";
  }
}

Result<dns::Message> DnsExchange::AskStream(const IpAddress& ip, std::uint16_t port,
                                            const IpAddress* source) {
  MILLRACE_ASSIGN(Fd fd, ConnectTcp(ip, port, source, context_.deadline));
  std::unique_ptr<Stream> stream = std::make_unique<SocketStream>(std::move(fd), context_.deadline);
  if (c_.dns_over_tls) {
    stage_ = "tls";
    MILLRACE_ASSIGN(const auto tls_context, TlsContext::Get(c_.tls_config));
    TlsInfo info;
    const std::string& name = c_.tls_config.server_name.empty() ? host_ : c_.tls_config.server_name;
    auto tls = TlsStream::Connect(std::move(stream), *tls_context, name, {}, info);
    AddMoreTlsMetrics(context_, info);
    if (!tls) {
      if (!info.verify_failure.empty()) stage_ = info.verify_failure;
      return tl::make_unexpected(std::move(tls).error());
    }
    stream = std::move(*tls);
  }
  connected_ = Clock::now();
  stage_ = "read";
  std::string framed;
  framed += static_cast<char>(query_.size() >> 8);
  framed += static_cast<char>(query_.size());
  MILLRACE_TRY(stream->Write(framed + query_));
  std::string reply;
  std::array<char, 16384> buffer;
  for (;;) {
    if (reply.size() >= 2) {
      const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(reply[0])) << 8 |
                               static_cast<unsigned char>(reply[1]);
      if (reply.size() >= size + 2) {
        stage_ = "dns_answer";
        MILLRACE_ASSIGN(dns::Message m, dns::ParseMessage(std::string_view(reply).substr(2, size)));
        if (m.id != id_) return Fail(ErrorCode::kParse, "dns: id mismatch");
        return m;
      }
    }
    MILLRACE_ASSIGN(const std::size_t n, stream->Read(buffer.data(), buffer.size()));
    if (n == 0) return Fail(ErrorCode::kUnavailable, "EOF");
    reply.append(buffer.data(), n);
  }
}

bool DnsExchange::ValidCode(int rcode) {
  std::vector<int> valid;
  if (!c_.valid_rcodes) valid.push_back(0);
  for (const auto& name : c_.valid_rcodes.value_or(std::vector<std::string>())) {
    const auto code = dns::RcodeByName(name);
    if (!code) return context_.FailWith("config", "Invalid rcode", {{"rcode", name}});
    valid.push_back(*code);
  }
  if (std::find(valid.begin(), valid.end(), rcode) != valid.end()) {
    context_.log.Debug("Rcode is valid",
                       {{"rcode", rcode}, {"string_rcode", dns::RcodeName(rcode)}});
    return true;
  }
  return context_.FailWith("rcode", "Rcode is not one of the valid rcodes",
                           {{"rcode", rcode}, {"string_rcode", dns::RcodeName(rcode)}});
}

bool DnsExchange::ValidRecords(const std::vector<dns::Record>& records, const RrValidator& rules) {
  // Compiled here and not when the file is loaded: the original accepts a file with a wrong
  // expression and fails the probe.
  const auto compile = [this](const std::vector<std::string>& patterns,
                              std::vector<Regexp>& out) -> bool {
    for (const auto& pattern : patterns) {
      auto compiled = Regexp::Compile(pattern);
      if (!compiled)
        return context_.FailWith("config", "Error matching regexp",
                                 {{"regexp", pattern}, {"err", compiled.error()}});
      out.push_back(std::move(*compiled));
    }
    return true;
  };
  std::vector<Regexp> matches, all, not_matches, none;
  if (records.empty() &&
      (!rules.fail_if_not_matches.empty() || !rules.fail_if_none_matches.empty()))
    return context_.FailWith("records", "A match is required but no RRs were returned");
  if (records.empty()) return true;
  if (!compile(rules.fail_if_matches, matches) || !compile(rules.fail_if_all_match, all) ||
      !compile(rules.fail_if_not_matches, not_matches) ||
      !compile(rules.fail_if_none_matches, none))
    return false;
  bool any_match = false, all_match = true;
  for (const dns::Record& record : records) {
    const std::string text = record.Text();
    context_.log.Debug("Validating RR", {{"rr", text}});
    for (const Regexp& r : matches)
      if (r.Matches(text))
        return context_.FailWith("records", "At least one RR matched regexp",
                                 {{"regexp", r.pattern()}, {"rr", text}});
    for (const Regexp& r : all) all_match = all_match && r.Matches(text);
    for (const Regexp& r : not_matches)
      if (!r.Matches(text))
        return context_.FailWith("records", "At least one RR did not match regexp",
                                 {{"regexp", r.pattern()}, {"rr", text}});
    for (const Regexp& r : none) any_match = any_match || r.Matches(text);
  }
  if (!all.empty() && !all_match) return context_.FailWith("records", "Not all RRs matched regexp");
  if (!none.empty() && !any_match)
    return context_.FailWith("records", "None of the RRs matched any regexp");
  return true;
}

bool DnsExchange::Evaluate(const dns::Message& answer) {
  MetricSet& m = context_.metrics;
  m.Set("probe_dns_answer_rrs", static_cast<double>(answer.answer.size()));
  m.Set("probe_dns_authority_rrs", static_cast<double>(answer.authority.size()));
  m.Set("probe_dns_additional_rrs", static_cast<double>(answer.additional.size()));
  m.Set("probe_dns_query_succeeded", 1);
  if (c_.query_type == "SOA") {
    m.Declare("probe_dns_serial", "Returns the serial number of the zone");
    for (const auto& record : answer.answer)
      if (record.type == dns::kTypeSoa) m.Set("probe_dns_serial", record.serial);
  }
  return ValidCode(answer.rcode) && ValidRecords(answer.answer, c_.validate_answer_rrs) &&
         ValidRecords(answer.authority, c_.validate_authority_rrs) &&
         ValidRecords(answer.additional, c_.validate_additional_rrs);
}

bool DnsExchange::Run() {
  static constexpr std::string_view kDuration = "probe_dns_duration_seconds";
  MetricSet& m = context_.metrics;
  m.DeclareVector(kDuration, "Duration of DNS request by phase");
  for (const char* phase : {"resolve", "connect", "request"})
    m.Set(kDuration, {{"phase", phase}}, 0);
  m.Declare("probe_dns_answer_rrs", "Returns number of entries in the answer resource record list");
  m.Declare("probe_dns_authority_rrs",
            "Returns number of entries in the authority resource record list");
  m.Declare("probe_dns_additional_rrs",
            "Returns number of entries in the additional resource record list");
  m.Declare("probe_dns_query_succeeded",
            "Displays whether or not the query was executed successfully");

  const std::string transport = c_.transport_protocol.empty() ? "udp" : c_.transport_protocol;
  if (transport != "udp" && transport != "tcp")
    return context_.FailWith("config", "Expected transport protocol udp or tcp",
                             {{"protocol", transport}});
  std::string port = c_.dns_over_tls ? "853" : "53";
  host_ = context_.target;
  if (auto split = SplitHostPort(context_.target)) {
    host_ = std::move(split->first);
    port = std::move(split->second);
  }
  const auto chosen =
      ChooseAddress(context_, c_.preferred_ip_protocol, c_.ip_protocol_fallback, host_);
  if (!chosen) return false;
  m.Set(kDuration, {{"phase", "resolve"}}, chosen->lookup_seconds);
  if (c_.dns_over_tls && transport != "tcp")
    return context_.FailWith("config", "Expected transport protocol tcp for DoT",
                             {{"protocol", transport}});
  if (c_.dns_over_tls) {
    // Before anything is sent: wrong files are a matter of the configuration.
    if (auto made = TlsContext::Get(c_.tls_config); !made)
      return context_.FailWith("config", "Failed to create TLS configuration", made.error());
  }
  bool source_ok = true;
  const auto source = SourceAddress(context_, c_.source_ip_address, source_ok);
  if (!source_ok) return false;

  dns::Question question{c_.query_name, dns::kTypeAny, dns::kClassIn};
  if (!c_.query_type.empty())
    question.type = dns::TypeByName(c_.query_type).value_or(dns::kTypeAny);
  if (!c_.query_class.empty())
    question.class_ = dns::ClassByName(c_.query_class).value_or(dns::kClassIn);
  id_ = RandomId();
  const auto number = ParsePort(port, transport.c_str());
  auto query = dns::BuildQuery(id_, question, c_.recursion_desired);
  if (!query) return context_.FailWith("config", "Cannot build the query", query.error());
  if (!number) return context_.FailWith("config", "Unknown port", {{"port", port}});
  query_ = std::move(*query);

  context_.log.Debug("Making DNS query", {{"target", context_.target}, {"query", c_.query_name}});
  const auto start = Clock::now();
  const IpAddress* from = source ? &*source : nullptr;
  auto answer =
      transport == "udp" ? AskUdp(chosen->ip, *number, from) : AskStream(chosen->ip, *number, from);
  const auto end = Clock::now();
  // Without a connection all of the time went into it.
  const double request = connected_ == Clock::time_point{} ? 0 : SecondsBetween(connected_, end);
  m.Set(kDuration, {{"phase", "connect"}}, SecondsBetween(start, end) - request);
  m.Set(kDuration, {{"phase", "request"}}, request);
  if (!answer) return context_.FailWith(stage_, "Error while sending a DNS query", answer.error());
  return Evaluate(*answer);
}

}  // namespace

bool ProbeDns(ProbeContext& context) { return DnsExchange(context).Run(); }

}  // namespace millrace::uptime_probe
