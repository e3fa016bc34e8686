#include "agent/sinks/elasticsearch/config.h"

#include "agent/core/template.h"
#include "common/http/client/client.h"

namespace millrace::agent {

using Config = ElasticsearchConfig;

std::string Config::TargetTemplate() const {
  if (mode == Mode::kBulk) return bulk.index;
  return data_stream.type + "-" + data_stream.dataset + "-" + data_stream.space;
}

void Visit(config::Visitor& v, Config::Bulk& c) {
  v.Field(
      "action", c.action,
      "create: an event that is already there (sent before a crash) is left alone; index: it is "
      "replaced. Data streams know only create.");
  v.Field("index", c.index,
          "Index, alias or data stream. {{ field }} and strftime conversions (UTC) are put in for "
          "each event; it must start with literal text.")
      .Check(IsTemplate<TemplateUse::kIndex>);
}

void Visit(config::Visitor& v, Config::DataStream& c) {
  v.Field("type", c.type, "First part of the data stream's name.").NotEmpty();
  v.Field("dataset", c.dataset, "Second part; may have {{ field }}.").NotEmpty();
  v.Field("namespace", c.space, "Third part; may have {{ field }}.").NotEmpty();
}

void Visit(config::Visitor& v, Config::Encoding& c) {
  v.Field("only_fields", c.only_fields, "Write these fields and no others.");
  v.Field("except_fields", c.except_fields, "Write all fields but these.");
  v.Field("timestamp_format", c.timestamp_format, "How times are written.");
}

void Visit(config::Visitor& v, Config::Batch& c) {
  v.Field("max_events", c.max_events, "Events of one request.").Range(1, 100'000);
  v.Field("max_bytes", c.max_bytes,
          "Bytes of one request before compression: the server's limit (http.max_content_length, "
          "100 MB) counts them so.")
      .Check([](const config::Bytes& b) {
        return b.value < 1024 || b.value > (std::uint64_t{1} << 30)
                   ? std::string("must be from 1KiB to 1GiB")
                   : std::string();
      });
  v.Seconds("timeout_secs", c.timeout, "A request that is not full is sent after so long.")
      .Range(0.001, 3600);
}

void Visit(config::Visitor& v, Config::Auth& c) {
  v.Field("strategy", c.strategy, "How to log in.");
  v.Field("user", c.user, "For basic.");
  v.Field("password", c.password, "For basic.");
  v.Field("api_key", c.api_key, "For api_key: the encoded form, base64 of id:key.");
  v.Field("token", c.token, "For bearer.");
  if (v.describing()) return;
  const auto need = [&](Config::Strategy strategy, const char* key, bool empty) {
    if (c.strategy == strategy && empty) v.Complain("strategy", std::string("needs `") + key + "`");
  };
  need(Config::Strategy::kBasic, "user", c.user.empty());
  need(Config::Strategy::kBasic, "password", c.password.empty());
  need(Config::Strategy::kApiKey, "api_key", c.api_key.empty());
  need(Config::Strategy::kBearer, "token", c.token.empty());
}

void Visit(config::Visitor& v, Config::Tls& c) {
  v.Field("ca_file", c.ca_file, "Certificates to trust (PEM); default: the system's.");
  v.Field("crt_file", c.crt_file, "Our certificate (PEM).");
  v.Field("key_file", c.key_file, "Its key (PEM).");
  v.Field("key_pass", c.key_pass, "Password of the key.");
  v.Field("verify_certificate", c.verify_certificate,
          "Refuse a server whose certificate is not trusted.");
  v.Field("verify_hostname", c.verify_hostname, "Refuse a certificate for another name.");
}

void Visit(config::Visitor& v, Config::Request& c) {
  v.Field("concurrency", c.concurrency,
          "Requests at the same time at most; fewer while the server says it is overloaded (429).")
      .Range(1, 64);
  v.Seconds("timeout_secs", c.timeout, "For one whole request.").Range(1, 3600);
  v.Seconds("retry_initial_backoff_secs", c.retry_initial_backoff,
            "Limit of the first random wait; it doubles with each failure.")
      .Range(0.001, 3600);
  v.Seconds("retry_max_backoff_secs", c.retry_max_backoff, "Limit of all waits.")
      .Range(0.001, 3600);
  v.Field("headers", c.headers, "Further headers of each request.");
}

void Visit(config::Visitor& v, Config& c) {
  v.Field("endpoints", c.endpoints, "Nodes, as http://host:9200 or https://host:9200/prefix.")
      .Required()
      .NotEmpty()
      .Check([](const std::vector<std::string>& list) {
        for (const std::string& url : list)
          if (const std::string why = http::UrlFault(url); !why.empty())
            return "\"" + url + "\" " + why;
        return std::string();
      });
  v.Field("mode", c.mode, "bulk: any index or alias (see `bulk`); data_stream: see `data_stream`.");
  v.Field("bulk", c.bulk, "Where events go in mode bulk.");
  v.Field("data_stream", c.data_stream,
          "Where events go in mode data_stream: type-dataset-namespace.");
  v.Field("fallback", c.fallback, "Stands in the name for a field that an event has not.")
      .NotEmpty();
  v.Field("id_key", c.id_key,
          "Field whose value becomes the document's _id. By default, and for events without the "
          "field, the _id is made of where the event was read, so that reading it again makes no "
          "second document.");
  v.Field("timestamp_field", c.timestamp_field,
          "The event's time under this name, unless it has the field; \"\" = not written.");
  v.Field("pipeline", c.pipeline, "Ingest pipeline.");
  v.Field("query", c.query, "Further parameters of the _bulk request.");
  v.Field("encoding", c.encoding, "Fields of the documents.");
  v.Field(
      "compression", c.compression,
      "Of requests. zstd is taken by OpenSearch only; with Elasticsearch the sink falls back to "
      "gzip.");
  v.Field("compression_level", c.compression_level, "0 = 1, the fastest.").Range(0, 19);
  v.Field("batch", c.batch, "When a request is sent.");
  v.Field("auth", c.auth, "How to log in.");
  v.Field("tls", c.tls, "Of https endpoints.");
  v.Field("proxy", c.proxy, "HTTP proxy; default: what the environment (https_proxy ...) says.");
  v.Field("request", c.request, "How requests are made.");
  v.Field("dead_letter", c.dead_letter, "For events that the server refuses for good.");
  if (v.describing()) return;
  if (c.mode == Config::Mode::kDataStream) {
    if (const auto t = Template::Parse(c.TargetTemplate(), TemplateUse::kIndex); !t)
      v.Complain("data_stream", t.error().message);
    if (c.timestamp_field != "@timestamp")
      v.Complain("timestamp_field", "must be @timestamp in mode data_stream");
  }
}

}  // namespace millrace::agent
