// /config: YAML in the form of the original's encoder, so that tools that read it keep working.
#include <array>
#include <charconv>
#include <cmath>

#include <fmt/format.h>

#include "common/base/strings.h"
#include "exporters/uptime_probe/config.h"
#include "exporters/uptime_probe/http/url.h"

namespace millrace::uptime_probe {
namespace {

/// Text that a YAML reader would take for something else than this string.
bool LooksTyped(std::string_view s) {
  static constexpr std::array<std::string_view, 26> kWords = {
      "true", "True", "TRUE", "false", "False", "FALSE", "null", "Null", "NULL",
      "~",    "yes",  "Yes",  "YES",   "no",    "No",    "NO",   "on",   "On",
      "ON",   "off",  "Off",  "OFF",   "y",     "Y",     "n",    "N"};
  for (const auto word : kWords)
    if (s == word) return true;
  if (s == ".nan" || s == ".inf" || s == "-.inf" || s == "<<" || s == "=") return true;
  return s.find_first_not_of("0123456789+-.eExXoOabcdefABCDEF_:") == std::string_view::npos &&
         s.find_first_of("0123456789") != std::string_view::npos && (s[0] != 'e' && s[0] != 'a');
}

bool PlainSafe(std::string_view s) {
  static constexpr std::string_view kIndicators = "-?:,[]{}#&*!|>'\"%@`";
  if (s.empty() || s.front() == ' ' || s.back() == ' ' || s.back() == ':') return false;
  if (kIndicators.find(s[0]) != std::string_view::npos) {
    const bool may_lead =
        (s[0] == '-' || s[0] == '?' || s[0] == ':') && s.size() > 1 && s[1] != ' ';
    if (!may_lead) return false;
  }
  if (s.find(": ") != std::string_view::npos || s.find(" #") != std::string_view::npos)
    return false;
  return !s.starts_with("---") && !s.starts_with("...") && !LooksTyped(s);
}

std::string Quote(std::string_view s) {
  bool control = false, unicode = true;
  for (const char c : s) {
    const auto u = static_cast<unsigned char>(c);
    control = control || u < 0x20 || u == 0x7f;
    unicode = unicode && u < 0x80;
  }
  if (!control && PlainSafe(s)) return std::string(s);
  std::string out;
  if (!control && unicode && !LooksTyped(s)) {
    out = "'";
    for (const char c : s) {
      out += c;
      if (c == '\'') out += '\'';
    }
    return out + "'";
  }
  out = "\"";
  for (const char c : s) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\0':
        out += "\\0";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f)
          out += fmt::format("\\x{:02X}", static_cast<unsigned char>(c));
        else
          out += c;
    }
  }
  return out + "\"";
}

/// Writes "key: value" lines; a map or list that stays empty leaves no trace.
class Writer {
 public:
  explicit Writer(std::string& out, int indent = 0) : out_(out), indent_(indent) {}

  void Text(std::string_view key, const std::string& value) {
    if (!value.empty()) Line(key, Quote(value));
  }
  void Secret(std::string_view key, const config::Secret& value) {
    if (!value.empty()) Line(key, "<secret>");
  }
  void True(std::string_view key, bool value) {
    if (value) Line(key, "true");
  }
  void Always(std::string_view key, bool value) { Line(key, value ? "true" : "false"); }
  void Number(std::string_view key, std::int64_t value) {
    if (value != 0) Line(key, std::to_string(value));
  }
  void Line(std::string_view key, std::string_view value) {
    Begin();
    out_ += Quote(key);
    out_ += ": ";
    out_ += value;
    out_ += '\n';
  }
  /// `fill(Writer&)` writes what is inside.
  template <class F>
  void Map(std::string_view key, F fill, bool even_if_empty = false) {
    std::string inner;
    Writer w(inner, indent_ + 4);
    fill(w);
    if (inner.empty() && !even_if_empty) return;
    Begin();
    out_ += Quote(key);
    out_ += inner.empty() ? ": {}\n" : ":\n";
    out_ += inner;
  }
  template <class List, class F>
  void Items(std::string_view key, const List& list, F text) {
    if (list.empty()) return;
    Begin();
    out_ += Quote(key);
    out_ += ":\n";
    for (const auto& item : list) {
      out_.append(static_cast<std::size_t>(indent_) + 4, ' ');
      out_ += "- ";
      out_ += text(item);
      out_ += '\n';
    }
  }
  void Strings(std::string_view key, const std::vector<std::string>& list) {
    Items(key, list, [](const std::string& s) { return Quote(s); });
  }
  void Patterns(std::string_view key, const std::vector<Regexp>& list) {
    Items(key, list, [](const Regexp& r) { return Quote(r.pattern()); });
  }
  /// A list of mappings.
  template <class List, class F>
  void Mappings(std::string_view key, const List& list, F fill) {
    if (list.empty()) return;
    Begin();
    out_ += Quote(key);
    out_ += ":\n";
    for (const auto& item : list) {
      std::string inner;
      Writer w(inner, indent_ + 6);
      fill(w, item);
      out_.append(static_cast<std::size_t>(indent_) + 4, ' ');
      out_ += "- ";
      if (inner.empty())
        out_ += "{}\n";
      else
        out_ += inner.substr(static_cast<std::size_t>(indent_) + 6);
    }
  }

 private:
  void Begin() { out_.append(static_cast<std::size_t>(indent_), ' '); }
  std::string& out_;
  int indent_;
};

std::string DurationText(std::chrono::nanoseconds d) {
  // time.Duration's String(): 1m30s, 1.5s, 250ms.
  const auto ns = d.count();
  if (ns == 0) return "0s";
  const std::string sign = ns < 0 ? "-" : "";
  const std::int64_t left = ns < 0 ? -ns : ns;
  const auto fraction = [](double v) {
    std::array<char, 40> text{};
    const auto r =
        std::to_chars(text.data(), text.data() + text.size(), v, std::chars_format::fixed);
    return std::string(text.data(), r.ptr);
  };
  if (left < 1'000) return sign + std::to_string(left) + "ns";
  if (left < 1'000'000) return sign + fraction(static_cast<double>(left) / 1e3) + "\xc2\xb5s";
  if (left < 1'000'000'000) return sign + fraction(static_cast<double>(left) / 1e6) + "ms";
  const std::int64_t minutes = left / 60'000'000'000;
  std::string out = sign;
  if (minutes >= 60) out += std::to_string(minutes / 60) + "h";
  if (minutes > 0) out += std::to_string(minutes % 60) + "m";
  return out + fraction(static_cast<double>(left % 60'000'000'000) / 1e9) + "s";
}

std::string BytesText(std::int64_t bytes) {
  static constexpr std::string_view kUnits = "EPTGMK";
  std::string out;
  int shift = 60;
  for (const char unit : kUnits) {
    if (const std::int64_t n = bytes >> shift; n != 0) {
      out += fmt::format("{}{}iB", n, unit);
      bytes -= n << shift;
    }
    shift -= 10;
  }
  if (bytes != 0 || out.empty()) out += fmt::format("{}B", bytes);
  return out;
}

std::string_view VersionText(TlsVersion v) {
  static constexpr std::array<std::string_view, 5> kNames = {"", "TLS10", "TLS11", "TLS12",
                                                             "TLS13"};
  return kNames[static_cast<std::size_t>(v)];
}

void Tls(Writer& out, const TlsConfig& c, std::string_view key = "tls_config") {
  // insecure_skip_verify is always written, but only in a block that has something to say.
  std::string probe;
  Writer test(probe);
  const auto rest_before = [&c](Writer& w) {
    w.Text("ca", c.ca);
    w.Text("cert", c.cert);
    w.Secret("key", c.key);
    w.Text("ca_file", c.ca_file);
    w.Text("cert_file", c.cert_file);
    w.Text("key_file", c.key_file);
    w.Text("ca_ref", c.ca_ref);
    w.Text("cert_ref", c.cert_ref);
    w.Text("key_ref", c.key_ref);
    w.Text("server_name", c.server_name);
  };
  rest_before(test);
  const bool versions = c.min_version != TlsVersion::kUnset || c.max_version != TlsVersion::kUnset;
  if (probe.empty() && !c.insecure_skip_verify && !versions) return;
  out.Map(key, [&](Writer& w) {
    rest_before(w);
    w.Always("insecure_skip_verify", c.insecure_skip_verify);
    w.Text("min_version", std::string(VersionText(c.min_version)));
    w.Text("max_version", std::string(VersionText(c.max_version)));
  });
}

void Proxy(Writer& w, const ProxyConfig& c) {
  if (!c.proxy_url.empty()) {
    const auto url = web::Url::Parse(c.proxy_url);
    w.Text("proxy_url", url ? url->Redacted() : c.proxy_url);
  }
  w.Text("no_proxy", c.no_proxy);
  w.True("proxy_from_environment", c.proxy_from_environment);
  w.Map("proxy_connect_header", [&](Writer& inner) {
    for (const auto& [name, values] : c.proxy_connect_header)
      inner.Items(name, values, [](const config::Secret&) { return std::string("<secret>"); });
  });
}

void Http(Writer& w, const HttpProbe& c) {
  w.Items("valid_status_codes", c.valid_status_codes,
          [](int code) { return std::to_string(code); });
  w.Strings("valid_http_versions", c.valid_http_versions);
  w.Text("preferred_ip_protocol", c.preferred_ip_protocol);
  w.True("ip_protocol_fallback", c.ip_protocol_fallback);
  w.True("skip_resolve_phase_with_proxy", c.skip_resolve_phase_with_proxy);
  w.True("fail_if_ssl", c.fail_if_ssl);
  w.True("fail_if_not_ssl", c.fail_if_not_ssl);
  w.Text("method", c.method);
  w.Map("headers", [&](Writer& inner) {
    for (const auto& [name, value] : c.headers) inner.Line(name, Quote(value));
  });
  w.Patterns("fail_if_body_matches_regexp", c.fail_if_body_matches_regexp);
  w.Patterns("fail_if_body_not_matches_regexp", c.fail_if_body_not_matches_regexp);
  if (c.fail_if_body_json_matches_cel)
    w.Text("fail_if_body_json_matches_cel", c.fail_if_body_json_matches_cel->text);
  if (c.fail_if_body_json_not_matches_cel)
    w.Text("fail_if_body_json_not_matches_cel", c.fail_if_body_json_not_matches_cel->text);
  const auto match = [](Writer& inner, const HeaderMatch& m) {
    inner.Text("header", m.header);
    inner.Text("regexp", m.regexp.pattern());
    inner.True("allow_missing", m.allow_missing);
  };
  w.Mappings("fail_if_header_matches", c.fail_if_header_matches, match);
  w.Mappings("fail_if_header_not_matches", c.fail_if_header_not_matches, match);
  w.Text("body", c.body);
  w.Text("body_file", c.body_file);
  if (c.basic_auth)
    w.Map(
        "basic_auth",
        [&a = *c.basic_auth](Writer& inner) {
          inner.Text("username", a.username);
          inner.Text("username_file", a.username_file);
          inner.Text("username_ref", a.username_ref);
          inner.Secret("password", a.password);
          inner.Text("password_file", a.password_file);
          inner.Text("password_ref", a.password_ref);
        },
        true);
  if (c.authorization)
    w.Map("authorization", [&a = *c.authorization](Writer& inner) {
      inner.Text("type", a.type);
      inner.Secret("credentials", a.credentials);
      inner.Text("credentials_file", a.credentials_file);
      inner.Text("credentials_ref", a.credentials_ref);
    });
  if (c.oauth2)
    w.Map("oauth2", [&o = *c.oauth2](Writer& inner) {
      inner.Text("client_id", o.client_id);
      inner.Secret("client_secret", o.client_secret);
      inner.Text("client_secret_file", o.client_secret_file);
      inner.Text("client_secret_ref", o.client_secret_ref);
      inner.Text("grant_type", o.grant_type);
      inner.Strings("scopes", o.scopes);
      inner.Text("token_url", o.token_url);
      inner.Map("endpoint_params", [&](Writer& p) {
        for (const auto& [name, value] : o.endpoint_params) p.Line(name, Quote(value));
      });
      Tls(inner, o.tls_config);
      Proxy(inner, o.proxy);
    });
  Tls(w, c.tls_config);
  w.Always("follow_redirects", c.follow_redirects);
  w.Always("enable_http2", c.enable_http2);
  Proxy(w, c.proxy);
  w.Map("http_headers", [&](Writer& inner) {
    for (const auto& [name, h] : c.http_headers)
      inner.Map(
          name,
          [&h = h](Writer& values) {
            values.Strings("values", h.values);
            values.Items("secrets", h.secrets,
                         [](const config::Secret&) { return std::string("<secret>"); });
            values.Strings("files", h.files);
          },
          true);
  });
  w.Text("compression", c.compression);
  if (c.body_size_limit.value > 0) w.Line("body_size_limit", BytesText(c.body_size_limit.value));
  w.True("enable_http3", c.enable_http3);
}

void Dialogue(Writer& w, const std::vector<QueryResponse>& list) {
  w.Mappings("query_response", list, [](Writer& inner, const QueryResponse& q) {
    inner.Text("expect", q.expect.pattern());
    inner.Text("expect_bytes", q.expect_bytes);
    inner.Mappings("labels", q.labels, [](Writer& label, const Label& l) {
      label.Text("name", l.name);
      label.Text("value", l.value);
    });
    inner.Text("send", q.send);
    inner.True("starttls", q.starttls);
  });
}

void Rules(Writer& w, std::string_view key, const RrValidator& c) {
  w.Map(key, [&c](Writer& inner) {
    inner.Strings("fail_if_matches_regexp", c.fail_if_matches);
    inner.Strings("fail_if_all_match_regexp", c.fail_if_all_match);
    inner.Strings("fail_if_not_matches_regexp", c.fail_if_not_matches);
    inner.Strings("fail_if_none_matches_regexp", c.fail_if_none_matches);
  });
}

void Address(Writer& w, const std::string& protocol, bool fallback) {
  w.Text("preferred_ip_protocol", protocol);
  w.True("ip_protocol_fallback", fallback);
}

void WriteModule(Writer& w, const Module& m) {
  w.Text("prober", m.prober);
  if (m.timeout.value.count() != 0) w.Line("timeout", DurationText(m.timeout.value));
  w.Map("http", [&](Writer& inner) { Http(inner, m.http); });
  w.Map("tcp", [&c = m.tcp](Writer& inner) {
    Address(inner, c.preferred_ip_protocol, c.ip_protocol_fallback);
    inner.Text("source_ip_address", c.source_ip_address);
    Dialogue(inner, c.query_response);
    inner.True("tls", c.tls);
    Tls(inner, c.tls_config);
  });
  w.Map("icmp", [&c = m.icmp](Writer& inner) {
    Address(inner, c.preferred_ip_protocol, c.ip_protocol_fallback);
    inner.Text("source_ip_address", c.source_ip_address);
    inner.Number("payload_size", c.payload_size);
    inner.True("dont_fragment", c.dont_fragment);
    inner.Number("ttl", c.ttl);
    if (c.count != 1) {
      inner.Number("count", c.count);
      inner.Line("interval", DurationText(c.interval.value));
      inner.Line("max_loss_ratio", fmt::format("{}", c.max_loss_ratio));
    }
  });
  w.Map("dns", [&c = m.dns](Writer& inner) {
    Address(inner, c.preferred_ip_protocol, c.ip_protocol_fallback);
    inner.True("dns_over_tls", c.dns_over_tls);
    Tls(inner, c.tls_config);
    inner.Text("source_ip_address", c.source_ip_address);
    inner.Text("transport_protocol", c.transport_protocol);
    inner.Text("query_class", c.query_class);
    inner.Text("query_name", c.query_name);
    inner.Text("query_type", c.query_type);
    inner.True("recursion_desired", c.recursion_desired);
    if (c.valid_rcodes) inner.Strings("valid_rcodes", *c.valid_rcodes);
    Rules(inner, "validate_answer_rrs", c.validate_answer_rrs);
    Rules(inner, "validate_authority_rrs", c.validate_authority_rrs);
    Rules(inner, "validate_additional_rrs", c.validate_additional_rrs);
  });
  if (m.prober == "grpc")
    w.Map("grpc", [&c = m.grpc](Writer& inner) {
      inner.Text("service", c.service);
      inner.True("tls", c.tls);
      Tls(inner, c.tls_config);
      inner.True("ip_protocol_fallback", c.ip_protocol_fallback);
      inner.Text("preferred_ip_protocol", c.preferred_ip_protocol);
      inner.Map("metadata", [&c](Writer& md) {
        for (const auto& [name, values] : c.metadata) md.Strings(name, values);
      });
    });
  w.Map("unix", [&c = m.unix_socket](Writer& inner) {
    Dialogue(inner, c.query_response);
    inner.True("tls", c.tls);
    Tls(inner, c.tls_config);
  });
  if (m.prober == "udp")
    w.Map("udp", [&c = m.udp](Writer& inner) {
      Address(inner, c.preferred_ip_protocol, c.ip_protocol_fallback);
      inner.Text("source_ip_address", c.source_ip_address);
      inner.Text("send", c.send);
      inner.Text("expect", c.expect.pattern());
      inner.Text("expect_bytes", c.expect_bytes);
    });
}

}  // namespace

std::string DumpModule(const Module& module) {
  std::string out;
  Writer w(out);
  WriteModule(w, module);
  return out;
}

std::string DumpConfig(const Config& config) {
  std::string out;
  Writer w(out);
  w.Map(
      "modules",
      [&](Writer& modules) {
        for (const auto& [name, module] : config.modules)
          modules.Map(name, [&m = module](Writer& inner) { WriteModule(inner, m); }, true);
      },
      true);
  return out;
}

}  // namespace millrace::uptime_probe
