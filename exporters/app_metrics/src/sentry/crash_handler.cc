// The part that runs in a signal handler: no allocation, no locks, no stdio.
#include <array>
#include <atomic>
#include <csignal>
#include <cstring>
#include <ctime>
#include <memory>

#include <execinfo.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "common/base/fd.h"
#include "exporters/app_metrics/src/sentry/crash.h"
#include "millrace/app_metrics/context.h"

namespace millrace::app_metrics::sentry {
namespace {

constexpr std::array<int, 5> kSignals = {SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL};
constexpr std::size_t kAlternateStack = 64 * 1024;

std::array<struct sigaction, kSignals.size()> before;
std::atomic<int> crash_fd{-1};
std::atomic<bool> ignore_abort{false};
std::atomic<int> crashing_thread{0};
std::string crash_path;  // written before the handlers are in place

void Write(const char* data, std::size_t size) {
  const int fd = crash_fd.load(std::memory_order_relaxed);
  while (size > 0) {
    const ssize_t n = ::write(fd, data, size);
    if (n <= 0) return;
    data += n;
    size -= static_cast<std::size_t>(n);
  }
}

void WriteText(const char* text) { Write(text, std::strlen(text)); }

void WriteNumber(const char* key, std::uint64_t value) {
  char text[20];
  std::size_t at = sizeof text;
  text[--at] = '\n';
  do {
    text[--at] = "0123456789abcdef"[value & 15];
    value >>= 4;
  } while (value != 0);
  WriteText(key);
  Write(text + at, sizeof text - at);
}

void WriteMaps() {
  const int fd = ::open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return;
  WriteText("maps\n");
  char buffer[4096];
  ssize_t n = 0;
  while ((n = ::read(fd, buffer, sizeof buffer)) > 0) Write(buffer, static_cast<std::size_t>(n));
  ::close(fd);
}

std::uint64_t ProgramCounter(const void* context) {
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext;
#if defined(__x86_64__)
  return static_cast<std::uint64_t>(registers.gregs[REG_RIP]);
#elif defined(__aarch64__)
  return registers.pc;
#else
  static_cast<void>(registers);
  return 0;
#endif
}

void WriteFrames(const void* context) {
  void* addresses[64];
  // Loaded and warmed up by Install, so it does not allocate here.
  const int n = ::backtrace(addresses, 64);
  const std::uint64_t pc = ProgramCounter(context);
  int first = 0;
  for (int i = 0; i < n; ++i)
    if (reinterpret_cast<std::uint64_t>(addresses[i]) == pc) first = i + 1;
  // +1: every frame is looked up one byte before, as a return address is.
  WriteNumber("frame ", pc + 1);
  for (int i = first; i < n; ++i)
    WriteNumber("frame ", reinterpret_cast<std::uint64_t>(addresses[i]));
}

void WriteReport(int signal, const siginfo_t* info, const void* context) {
  WriteNumber("signal ", static_cast<std::uint64_t>(signal));
  WriteNumber("address ", reinterpret_cast<std::uint64_t>(info->si_addr));
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  WriteNumber("time ", static_cast<std::uint64_t>(now.tv_sec));
  if (const Context* c = Context::Current()) {
    WriteText("request_id ");
    Write(c->request_id().data(), c->request_id().size());
    WriteText("\ntrace_id ");
    Write(c->trace_id().data(), c->trace_id().size());
    WriteText("\n");
  }
  WriteFrames(context);
  WriteMaps();
}

void Handle(int signal, siginfo_t* info, void* context) {
  const int error = errno;
  const int self = static_cast<int>(::syscall(SYS_gettid));
  int nobody = 0;
  // A second crash, of this handler or of another thread, goes straight to the default action.
  if (crashing_thread.compare_exchange_strong(nobody, self) &&
      !(signal == SIGABRT && ignore_abort.load()))
    WriteReport(signal, info, context);
  for (std::size_t i = 0; i < kSignals.size(); ++i)
    if (kSignals[i] == signal) ::sigaction(signal, &before[i], nullptr);
  errno = error;
  // Blocked until we return; then the handler of before, or the default action, takes it. A fault
  // would repeat by itself, a signal that was sent would not.
  ::raise(signal);
}

}  // namespace

Status InstallCrashHandlers(const std::string& dir) {
  if (crash_fd.load() >= 0) return Fail(ErrorCode::kInvalidArgument, "crashes are handled already");
  MILLRACE_TRY(MakeDirectories(dir, 0700));
  crash_path = dir + "/crash-" + std::to_string(::getpid()) + ".raw";
  Fd fd(::open(crash_path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  if (!fd) return FailErrno("open " + crash_path, errno);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) return FailErrno("lock " + crash_path, errno);
  std::string head = "millrace-crash 1\n";
  for (const Image& i : LoadedImages())
    if (!i.path.empty())
      head += "image " + (i.code_id.empty() ? "-" : i.code_id) + " " + i.path + "\n";
  MILLRACE_TRY(WriteAll(fd.get(), head));
  void* warm_up[4];
  static_cast<void>(::backtrace(warm_up, 4));
  void* memory = ::mmap(nullptr, kAlternateStack, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (memory != MAP_FAILED) {
    stack_t stack{};
    stack.ss_sp = memory;
    stack.ss_size = kAlternateStack;
    ::sigaltstack(&stack, nullptr);
  }
  crash_fd = fd.Release();
  crashing_thread = 0;
  struct sigaction action{};
  action.sa_sigaction = &Handle;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  ::sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &action, &before[i]);
  return {};
}

void RemoveCrashHandlers() {
  const int fd = crash_fd.exchange(-1);
  if (fd < 0) return;
  for (std::size_t i = 0; i < kSignals.size(); ++i) ::sigaction(kSignals[i], &before[i], nullptr);
  ::unlink(crash_path.c_str());
  ::close(fd);
}

void IgnoreAbort() { ignore_abort = true; }

}  // namespace millrace::app_metrics::sentry
