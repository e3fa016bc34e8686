// millrace-agent: tails, parses, batches, compresses and ships logs.
#include <cstdio>

#include <CLI/CLI.hpp>

#include "agent/command/commands.h"

using namespace std::string_literals;

int main(int argc, char** argv) {
  namespace agent = millrace::agent;
  CLI::App app("millrace-agent " MILLRACE_VERSION
               ": tails, parses, batches, compresses and ships logs; nothing is lost.\n"
               "Exit status: 0 all delivered, 1 failure or something left for the next start, 78 "
               "bad configuration.");
  app.require_subcommand(1);
  app.set_version_flag("--version,-V", "millrace-agent " MILLRACE_VERSION);
  int status = 0;

  agent::RunOptions run;
  CLI::App* command = app.add_subcommand("run", "Run a configuration until SIGTERM.");
  command->add_option("-c,--config", run.config, "Configuration file, or folder of *.yaml.")
      ->required();
  command->add_option("--data-dir", run.data_dir,
                      "Folder for checkpoints and dead letters; overrides the file.");
  command->add_option("--log.level", run.log_level,
                      "debug, info, warn or error; overrides the file.");
  command->add_option("--log.format", run.log_format, "logfmt or json; overrides the file.");
  command->callback([&] { status = agent::Run(run); });

  std::string config;
  bool online = false;
  command =
      app.add_subcommand("validate", "Check a configuration: every fault with file:line:column.");
  command->add_option("-c,--config", config, "Configuration file, or folder of *.yaml.")
      ->required();
  command->add_flag("--online", online, "Also ask every sink whether its target answers.");
  command->callback([&] { status = agent::Validate(config, online); });

  std::string format = "mermaid";
  command = app.add_subcommand("graph", "Draw the topology of a configuration.");
  command->add_option("-c,--config", config, "Configuration file, or folder of *.yaml.")
      ->required();
  command->add_option("--format", format, "mermaid or dot.")
      ->check(CLI::IsMember({"mermaid"s, "dot"s}));
  command->callback([&] { status = agent::PrintGraph(config, format == "dot"); });

  agent::DemoOptions demo;
  command = app.add_subcommand("demo",
                               "Tail this machine's logs (or generated ones), parse them, show a "
                               "live summary, write NDJSON that zstdcat reads.");
  command->add_option("--dir", demo.directory, "Folder for the output.")->capture_default_str();
  command->add_option("--seconds", demo.seconds, "Stop by itself after this time; 0 = Ctrl-C.")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  command->add_flag("--generator", demo.generator,
                    "Use generated logs even if this machine has some.");
  command->callback([&] { status = agent::Demo(demo); });

  app.add_subcommand("schema", "Print the JSON Schema of the configuration.")->callback([&] {
    status = agent::PrintSchema();
  });
  app.add_subcommand("reference", "Print the configuration reference as Markdown.")->callback([&] {
    status = agent::PrintReference();
  });
  app.add_subcommand("list", "List the component types.")->callback([&] {
    status = agent::PrintComponents();
  });

  CLI11_PARSE(app, argc, argv);
  return status;
}
