#include "agent/config/agent_config.h"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "common/log/log.h"

namespace millrace::agent {

using config::Problems;
using config::Visitor;

// Found by argument-dependent lookup, hence not in the anonymous namespace.
static void Visit(Visitor& v, WebConfig& c) {
  v.Field("enabled", c.enabled, "Serve /metrics, /-/healthy, /-/ready and the landing page.");
  v.Field("listen_addresses", c.listen_addresses, "Addresses to listen on, host:port each.");
  v.Field("config_file", c.config_file,
          "web.config.yml with TLS and basic auth; see docs/web-config.md.");
}

static void Visit(Visitor& v, LogConfig& c) {
  v.Field("level", c.level, "Lowest level that is written.")
      .OneOf({"debug", "info", "warn", "error"});
  v.Field("format", c.format, "How a line of the agent's own log is written.")
      .OneOf({"logfmt", "json"});
}

static void Visit(Visitor& v, GlobalConfig& c) {
  v.Field("data_dir", c.data_dir, "Folder for checkpoints and dead letters; made if absent.")
      .NotEmpty();
  v.Field("host", c.host, "Name of this machine in events; empty: what the kernel says.");
  v.Field("memory_max_bytes", c.memory_max_bytes, "Bytes that all queues together may hold.")
      .Range(1 << 20);
  v.Seconds(
      "shutdown_grace_secs", c.shutdown_grace,
      "Time to deliver what is queued after SIGTERM; the rest is repeated after the next start.");
  v.Field("web", c.web, "The agent's own HTTP endpoints.");
  v.Field("log", c.log, "The agent's own log, on standard error.");
}

static void Visit(Visitor& v, BufferConfig& c) {
  v.Field("type", c.type, "Where the queue before the sink lives.").OneOf({"memory"});
  v.Field("max_bytes", c.max_bytes, "Bytes that the queue may hold.").Range(64 * 1024);
  v.Field("when_full", c.when_full,
          "block: push back to the sources; drop_newest: drop and count. A sink that is not "
          "required never blocks.");
}

namespace {

/// The keys that every component has beside its own.
template <class Spec>
void VisitFrame(Visitor& v, Spec& spec) {
  v.Field("type", spec.type, "Which component.").Required();
  if constexpr (requires { spec.inputs; })
    v.Field("inputs", spec.inputs,
            "Names of the sources and transforms it reads from; name.output for a named output; * "
            "matches any text.")
        .Required()
        .NotEmpty();
  if constexpr (requires { spec.threads; })
    v.Field("threads", spec.threads,
            "Threads that decode and transform this source's events. A file or partition stays on "
            "one thread, so its order is kept.")
        .Range(1, 256);
  if constexpr (requires { spec.required; }) {
    v.Field("required", spec.required,
            "An event counts as delivered only when this sink has it. A sink that is not required "
            "never slows the others: what it cannot take is dropped and counted.");
    v.Field("buffer", spec.buffer, "The queue before the sink.");
  }
}

template <class Interface>
const Entry<Interface>* FindEntry(std::span<const Entry<Interface>> table, std::string_view type) {
  for (const auto& entry : table)
    if (entry.type == type) return &entry;
  return nullptr;
}

bool ValidId(std::string_view id) {
  return !id.empty() && id.size() <= 100 && std::all_of(id.begin(), id.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-';
  });
}

template <class Interface, class Spec>
void LoadComponents(const YAML::Node& map, const std::string& file, const char* kind,
                    std::span<const Entry<Interface>> table, std::vector<Spec>& out,
                    Problems& problems) {
  if (!map.IsDefined() || map.IsNull()) return;
  if (!map.IsMap())
    return problems.Add(file, map, kind, "must be a mapping of names to components");
  for (const auto& item : map) {
    const std::string id = item.first.IsScalar() ? item.first.Scalar() : "";
    const std::string path = fmt::format("{}.{}", kind, id);
    if (!ValidId(id)) {
      problems.Add(file, item.first, kind,
                   fmt::format("\"{}\" is not a component name (letters, digits, _ and -)",
                               Printable(id, 60)));
      continue;
    }
    for (const Spec& other : out)
      if (other.id == id)
        problems.Add(file, item.first, path, "this name stands in the configuration twice");
    Spec spec;
    spec.id = id;
    spec.place = {file, item.first, YAML::Node(YAML::NodeType::Undefined)};
    if (!item.second.IsMap()) {
      problems.Add(file, item.first, path, "must be a mapping with a type");
      continue;
    }
    {
      Visitor v(item.second, file, path, problems);
      VisitFrame(v, spec);
      if (const YAML::Node inputs = item.second["inputs"]; inputs.IsDefined())
        spec.place.inputs.reset(inputs);
      const Entry<Interface>* entry = FindEntry(table, spec.type);
      if (entry == nullptr) {
        if (!spec.type.empty()) {
          std::vector<std::string_view> types;
          for (const auto& e : table) types.push_back(e.type);
          v.Complain("type", fmt::format("there is no {} of type \"{}\"{} (known: {})",
                                         std::string_view(kind).substr(
                                             0, std::string_view(kind).size() - 1),
                                         Printable(spec.type, 60), DidYouMean(spec.type, types),
                                         fmt::join(types, ", ")));
        }
        for (const auto& key : item.second)
          if (key.first.IsScalar()) v.Ignore(key.first.Scalar().c_str());
        continue;
      }
      spec.plan = entry->read(v);
    }
    out.push_back(std::move(spec));
  }
}

void LoadRoot(const YAML::Node& root, const std::string& file, AgentConfig& out,
              Problems& problems) {
  if (!root.IsDefined() || root.IsNull()) return;
  Visitor v(root, file, "", problems);
  Visit(v, out.global);
  if (!root.IsMap()) return;
  YAML::Node sources, transforms, sinks;
  v.Field("sources", sources, "Where events come from.");
  v.Field("transforms", transforms, "What happens to them.");
  v.Field("sinks", sinks, "Where they go.");
  LoadComponents(root["sources"], file, "sources", Sources(), out.sources, problems);
  LoadComponents(root["transforms"], file, "transforms", Transforms(), out.transforms, problems);
  LoadComponents(root["sinks"], file, "sinks", Sinks(), out.sinks, problems);
}

void LoadFile(const std::string& path, AgentConfig& out, Problems& problems) {
  const auto text = ReadFile(path, std::size_t{64} << 20);
  if (!text) return problems.Add(path, 1, 1, text.error().message);
  LoadRoot(config::Parse(*text, path, problems), path, out, problems);
}

template <class Interface, class Spec>
std::string SchemaOfKind(std::span<const Entry<Interface>> table) {
  std::vector<std::string> variants;
  for (const auto& entry : table) {
    config::Schema schema;
    schema.help = std::string(entry.summary);
    {
      Visitor v(schema);
      Spec spec;
      VisitFrame(v, spec);
      entry.read(v);
    }
    for (auto& [name, property] : schema.properties)
      if (name == "type") property->choices = {std::string(entry.type)};
    variants.push_back("          " + config::ToJsonSchema(schema, 10));
  }
  return fmt::format(
      "{{\n      \"type\": \"object\",\n      \"propertyNames\": {{\"pattern\": "
      "\"^[A-Za-z0-9_-]{{1,100}}$\"}},\n"
      "      \"additionalProperties\": {{\n        \"oneOf\": [\n{}\n        ]\n      }}\n    }}",
      fmt::join(variants, ",\n"));
}

template <class Interface, class Spec>
std::string ReferenceOfKind(std::string_view title, std::span<const Entry<Interface>> table) {
  std::string out = fmt::format("## {}\n\n", title);
  {
    config::Schema schema;
    {
      Visitor v(schema);
      Spec spec;
      VisitFrame(v, spec);
    }
    out += fmt::format("Keys of all of them:\n\n{}\n", config::ToMarkdown(schema));
  }
  for (const auto& entry : table) {
    config::Schema schema;
    {
      Visitor v(schema);
      entry.read(v);
    }
    out += fmt::format(
        "### `{}`\n\n{}\n\n{}\n", entry.type, entry.summary,
        schema.properties.empty() ? "No keys of its own.\n" : config::ToMarkdown(schema));
  }
  return out;
}

}  // namespace

AgentConfig LoadConfigText(const std::string& text, const std::string& name, Problems& problems) {
  AgentConfig out;
  LoadRoot(config::Parse(text, name, problems), name, out, problems);
  return out;
}

AgentConfig LoadConfig(const std::string& path, Problems& problems) {
  AgentConfig out;
  std::error_code error;
  if (!std::filesystem::is_directory(path, error)) {
    LoadFile(path, out, problems);
    return out;
  }
  std::vector<std::string> files;
  for (const auto& entry : std::filesystem::directory_iterator(path, error)) {
    const auto extension = entry.path().extension();
    if (extension == ".yaml" || extension == ".yml") files.push_back(entry.path().string());
  }
  std::sort(files.begin(), files.end());
  if (files.empty()) problems.Add(path, 1, 1, "no *.yaml or *.yml in this folder");
  for (const auto& file : files) LoadFile(file, out, problems);
  return out;
}

std::string ConfigJsonSchema() {
  config::Schema schema;
  {
    Visitor v(schema);
    GlobalConfig c;
    Visit(v, c);
  }
  std::string text = config::ToJsonSchema(schema);
  // The three maps of components are written by hand into the global keys: their shape depends on
  // `type`.
  const std::string maps = fmt::format(
      "  \"properties\": {{\n    \"sources\": {},\n    \"transforms\": {},\n    \"sinks\": {},\n",
      SchemaOfKind<Source, SourceSpec>(Sources()),
      SchemaOfKind<Transform, TransformSpec>(Transforms()), SchemaOfKind<Sink, SinkSpec>(Sinks()));
  const std::string head = "  \"properties\": {\n";
  text.replace(text.find(head), head.size(), maps);
  text.replace(0, 1,
               "{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n  \"title\": "
               "\"millrace-agent\",");
  return text + "\n";
}

std::string ConfigReference() {
  config::Schema schema;
  {
    Visitor v(schema);
    GlobalConfig c;
    Visit(v, c);
  }
  return "# Configuration of millrace-agent\n\n"
         "<!-- Written by `millrace-agent reference`; a test fails when it is not what the code "
         "says. -->\n\n"
         "YAML, one file or a folder of files. `${NAME}`, `${NAME:-default}` and "
         "`${NAME:?message}` are put into\n"
         "scalars after parsing, so that a variable can never add structure; `$${` is a literal "
         "`${`. An unknown key,\n"
         "a wrong type or an impossible value is an error with its place; nothing starts "
         "half-configured.\n\n"
         "## Global keys\n\n" +
         config::ToMarkdown(schema) + "\n" +
         ReferenceOfKind<Source, SourceSpec>("Sources", Sources()) +
         ReferenceOfKind<Transform, TransformSpec>("Transforms", Transforms()) +
         ReferenceOfKind<Sink, SinkSpec>("Sinks", Sinks());
}

}  // namespace millrace::agent
