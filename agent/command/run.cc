#include <csignal>
#include <cstdio>
#include <thread>

#include <malloc.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "agent/command/commands.h"
#include "agent/command/running.h"
#include "agent/command/web.h"
#include "agent/topology/topology.h"
#include "common/base/fd.h"
#include "common/base/notify.h"
#include "common/log/log.h"

namespace millrace::agent {
namespace {

/// SIGTERM and SIGINT as a file descriptor, blocked in every thread.
Fd BlockSignals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGHUP);
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
  return Fd(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

void Tune() {
  // Batches are made on one thread and freed on another: many malloc arenas would each keep their
  // own garbage. Two are enough; blocks of a batch come from the heap, not from mmap, so that their
  // pages are used again without a page fault each.
  ::mallopt(M_ARENA_MAX, 2);
  ::mallopt(M_MMAP_THRESHOLD, 4 << 20);
  ::mallopt(M_TRIM_THRESHOLD, 1 << 20);
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
    limit.rlim_cur = limit.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &limit);
  }
}

/// 0 = none waiting.
int NextSignal(const Fd& signals) {
  signalfd_siginfo info{};
  return ::read(signals.get(), &info, sizeof info) == sizeof info ? static_cast<int>(info.ssi_signo)
                                                                  : 0;
}

}  // namespace

int RunTopology(AgentConfig config, Graph graph, std::chrono::milliseconds limit) {
  Tune();
  const Fd signals = BlockSignals();
  const Fd events(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  MetricsRegistry metrics;
  const GlobalConfig global = config.global;
  if (auto made = MakeDirectories(global.data_dir, 0750); !made) {
    log::Error("Cannot make the data directory; choose another with data_dir or --data-dir",
               {{"error", made.error()}});
    return 1;
  }
  auto topology = Topology::Make(std::move(config), std::move(graph), metrics);
  if (!topology) {
    log::Error("Cannot make a component", {{"error", topology.error()}});
    return kExitConfig;
  }
  WebEndpoints web(metrics, **topology);
  if (global.web.enabled) {
    if (auto started = web.Start(global.web); !started) {
      log::Error("Cannot serve the web endpoints; set web.listen_addresses or web.enabled: false",
                 {{"error", started.error()}});
      return 1;
    }
  }
  (*topology)->Start([&events] {
    const std::uint64_t one = 1;
    static_cast<void>(::write(events.get(), &one, sizeof one));
  });
  log::Info("Started", {{"version", MILLRACE_VERSION},
                        {"sources", (*topology)->config().sources.size()},
                        {"transforms", (*topology)->config().transforms.size()},
                        {"sinks", (*topology)->config().sinks.size()}});
  NotifySystemd("READY=1");

  const auto end = std::chrono::steady_clock::now() + limit;
  for (;;) {
    if ((*topology)->Failed() || (*topology)->SourcesEnded()) break;
    int timeout = -1;
    if (limit.count() > 0) {
      const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(
                            end - std::chrono::steady_clock::now())
                            .count();
      if (left <= 0) break;
      timeout = static_cast<int>(left);
    }
    pollfd fds[2] = {{signals.get(), POLLIN, 0}, {events.get(), POLLIN, 0}};
    ::poll(fds, 2, timeout);
    const int signal = NextSignal(signals);
    if (signal == SIGTERM || signal == SIGINT) {
      log::Info("Stopping", {{"signal", signal == SIGTERM ? "SIGTERM" : "SIGINT"}});
      break;
    }
    if (signal == SIGHUP) log::Warn("SIGHUP is ignored: restart to take a new configuration");
    std::uint64_t drained = 0;
    static_cast<void>(::read(events.get(), &drained, sizeof drained));
  }
  NotifySystemd("STOPPING=1");
  const bool ended = (*topology)->SourcesEnded() && !(*topology)->Failed();

  // A second signal cuts the drain short.
  std::stop_source hurry;
  std::jthread watcher([&](const std::stop_token& stop) {
    while (!stop.stop_requested()) {
      pollfd fd = {signals.get(), POLLIN, 0};
      if (::poll(&fd, 1, 50) > 0 && NextSignal(signals) != 0) hurry.request_stop();
    }
  });
  // Sources that came to their end (a pipe) have no deadline: nobody asked for a stop.
  const bool delivered = (*topology)->Stop(
      ended ? std::chrono::hours(24 * 365) : global.shutdown_grace, hurry.get_token());
  watcher.request_stop();
  web.Stop();
  if ((*topology)->Failed()) {
    log::Error("Stopped because a component failed", {{"error", (*topology)->Failure()}});
    return 1;
  }
  log::Info("Stopped", {{"delivered", delivered}});
  return delivered ? 0 : 1;
}

Loaded LoadAndCheck(const std::string& path) {
  Loaded loaded;
  loaded.config = LoadConfig(path, loaded.problems);
  // Without whole components the graph would only repeat their faults as missing inputs.
  if (loaded.problems.empty()) loaded.graph = BuildGraph(loaded.config, loaded.problems);
  return loaded;
}

int Run(const RunOptions& options) {
  Loaded loaded = LoadAndCheck(options.config);
  if (!loaded.problems.empty()) {
    std::fputs(loaded.problems.Text().c_str(), stderr);
    return kExitConfig;
  }
  GlobalConfig& global = loaded.config.global;
  if (!options.data_dir.empty()) global.data_dir = options.data_dir;
  if (!options.log_level.empty()) global.log.level = options.log_level;
  if (!options.log_format.empty()) global.log.format = options.log_format;
  const auto level = log::ParseLevel(global.log.level);
  const auto format = log::ParseFormat(global.log.format);
  if (!level || !format) {
    std::fprintf(stderr, "%s\n", (!level ? level.error() : format.error()).message.c_str());
    return kExitConfig;
  }
  log::Configure(*level, *format);
  return RunTopology(std::move(loaded.config), std::move(loaded.graph), {});
}

}  // namespace millrace::agent
