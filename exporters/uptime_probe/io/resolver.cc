#include "exporters/uptime_probe/io/resolver.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <mutex>
#include <random>

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "common/base/fd.h"
#include "common/base/strings.h"
#include "exporters/uptime_probe/dns/message.h"
#include "exporters/uptime_probe/io/stream.h"

namespace millrace::uptime_probe {
namespace {

/// A file's text, read again when its time or size changed.
class CachedFile {
 public:
  std::shared_ptr<const std::string> Get(const std::string& path) {
    struct stat st{};
    const bool there = ::stat(path.c_str(), &st) == 0;
    const std::lock_guard lock(mu_);
    if (!there) return empty_;
    if (text_ == nullptr || path != path_ || st.st_mtim.tv_sec != seconds_ ||
        st.st_mtim.tv_nsec != nanoseconds_ || st.st_size != size_) {
      auto read = ReadFile(path, std::size_t{4} << 20);
      if (!read) return empty_;
      text_ = std::make_shared<const std::string>(std::move(*read));
      path_ = path;
      seconds_ = st.st_mtim.tv_sec;
      nanoseconds_ = st.st_mtim.tv_nsec;
      size_ = st.st_size;
    }
    return text_;
  }

 private:
  std::mutex mu_;
  std::string path_;
  std::shared_ptr<const std::string> text_, empty_ = std::make_shared<const std::string>();
  std::int64_t seconds_ = 0, nanoseconds_ = 0, size_ = 0;
};

std::uint16_t RandomId() {
  thread_local std::mt19937 engine{std::random_device{}()};
  return static_cast<std::uint16_t>(engine());
}

bool Wanted(const IpAddress& ip, IpFamily family) {
  return family == IpFamily::kAny || ip.v6 == (family == IpFamily::kV6);
}

void Append(const dns::Message& m, std::vector<IpAddress>& out) {
  for (const auto& record : m.answer)
    if (record.type == dns::kTypeA || record.type == dns::kTypeAaaa)
      if (auto ip = ParseIp(record.text)) out.push_back(std::move(*ip));
}

Result<dns::Message> AskTcp(const SocketAddress& server, const std::string& query,
                            Deadline deadline) {
  const IpAddress ip = FromSocketAddress(server.storage);
  MILLRACE_ASSIGN(Fd fd, ConnectTcp(ip, 53, nullptr, deadline));
  SocketStream stream(std::move(fd), deadline);
  std::string framed;
  framed += static_cast<char>(query.size() >> 8);
  framed += static_cast<char>(query.size());
  MILLRACE_TRY(stream.Write(framed + query));
  std::string reply;
  std::array<char, 4096> buffer{};
  for (;;) {
    if (reply.size() >= 2) {
      const std::size_t size = static_cast<std::size_t>(static_cast<unsigned char>(reply[0])) << 8 |
                               static_cast<unsigned char>(reply[1]);
      if (reply.size() >= size + 2)
        return dns::ParseMessage(std::string_view(reply).substr(2, size));
    }
    MILLRACE_ASSIGN(const std::size_t n, stream.Read(buffer.data(), buffer.size()));
    if (n == 0) return Fail(ErrorCode::kUnavailable, "name server closed the connection");
    reply.append(buffer.data(), n);
  }
}

struct Pending {
  std::uint16_t type, id = 0;
  std::string query;
  bool done = false;
  int rcode = -1;
};

/// Sends the questions to one server and collects what comes until all are answered.
Status AskServer(const SocketAddress& server, std::vector<Pending>& questions,
                 std::vector<IpAddress>& found, Deadline deadline) {
  Fd fd(::socket(server.storage.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return FailErrno("socket", errno);
  if (::connect(fd.get(), server.get(), server.size) != 0)
    return FailErrno("connect name server", errno);
  for (const auto& q : questions)
    if (!q.done && ::send(fd.get(), q.query.data(), q.query.size(), MSG_NOSIGNAL) < 0)
      return FailErrno("ask name server", errno);
  std::array<char, 4096> buffer{};
  while (
      std::any_of(questions.begin(), questions.end(), [](const Pending& q) { return !q.done; })) {
    MILLRACE_TRY(Wait(fd.get(), WaitFor::kReadable, deadline));
    const ssize_t n = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (n < 0) {
      if (errno == EAGAIN || errno == EINTR) continue;
      return FailErrno("name server", errno);
    }
    auto message = dns::ParseMessage({buffer.data(), static_cast<std::size_t>(n)});
    if (!message || !message->response) continue;
    for (auto& q : questions) {
      if (q.done || q.id != message->id) continue;
      if (message->truncated) {
        auto full = AskTcp(server, q.query, deadline);
        if (!full) return tl::make_unexpected(std::move(full).error());
        message = std::move(full);
      }
      // Trouble of this server: the next one may know.
      if (message->rcode != 0 && message->rcode != 3)
        return Fail(ErrorCode::kUnavailable, "name server misbehaving");
      q.done = true;
      q.rcode = message->rcode;
      Append(*message, found);
      break;
    }
  }
  return {};
}

Result<std::vector<IpAddress>> AskName(const std::string& name, IpFamily family,
                                       const ResolvConf& conf, Deadline deadline) {
  std::vector<Pending> questions;
  if (family != IpFamily::kV6) questions.push_back({dns::kTypeA, 0, {}, false, -1});
  if (family != IpFamily::kV4) questions.push_back({dns::kTypeAaaa, 0, {}, false, -1});
  std::vector<IpAddress> found;
  Error last{ErrorCode::kUnavailable, "no name server"};
  for (int attempt = 0; attempt < conf.attempts; ++attempt) {
    for (const auto& server : conf.servers) {
      for (auto& q : questions) {
        if (q.done) continue;
        q.id = RandomId();
        auto query = dns::BuildQuery(q.id, {name, q.type, dns::kClassIn}, true);
        if (!query) return Fail(ErrorCode::kNotFound, "no such host");
        q.query = std::move(*query);
      }
      // Two questions in flight must be told apart.
      if (questions.size() == 2 && questions[0].id == questions[1].id) ++questions[1].id;
      for (auto& q : questions) {
        q.query[0] = static_cast<char>(q.id >> 8);
        q.query[1] = static_cast<char>(q.id);
      }
      const Deadline turn = std::min(deadline, Clock::now() + conf.timeout);
      auto asked = AskServer(server, questions, found, turn);
      if (asked) {
        if (found.empty()) return Fail(ErrorCode::kNotFound, "no such host");
        return found;
      }
      last = std::move(asked).error();
      if (Clock::now() >= deadline) return Fail(ErrorCode::kTimeout, "lookup: deadline exceeded");
    }
  }
  if (!found.empty()) return found;
  return tl::make_unexpected(std::move(last));
}

}  // namespace

ResolvConf ParseResolvConf(std::string_view text) {
  ResolvConf conf;
  for (const std::string_view line : Split(text, '\n')) {
    const auto words = SplitWhitespace(line);
    if (words.size() < 2 || words[0][0] == '#' || words[0][0] == ';') continue;
    if (words[0] == "nameserver" && conf.servers.size() < 3) {
      if (const auto ip = ParseIp(words[1])) conf.servers.push_back(MakeSocketAddress(*ip, 53));
    } else if (words[0] == "search" || words[0] == "domain") {
      conf.search.assign(
          words.begin() + 1,
          words.begin() + (words[0] == "domain" ? 2 : static_cast<std::ptrdiff_t>(words.size())));
    } else if (words[0] == "options") {
      for (const auto option : words) {
        if (option.starts_with("ndots:"))
          conf.ndots = std::clamp(ParseNumber<int>(option.substr(6)).value_or(1), 0, 15);
        else if (option.starts_with("attempts:"))
          conf.attempts = std::clamp(ParseNumber<int>(option.substr(9)).value_or(2), 1, 5);
        else if (option.starts_with("timeout:"))
          conf.timeout = std::chrono::seconds(
              std::clamp(ParseNumber<int>(option.substr(8)).value_or(5), 1, 30));
      }
    }
  }
  if (conf.servers.empty())
    conf.servers = {MakeSocketAddress(*ParseIp("127.0.0.1"), 53),
                    MakeSocketAddress(*ParseIp("::1"), 53)};
  return conf;
}

std::vector<IpAddress> FindInHosts(std::string_view hosts_file, std::string_view host) {
  std::vector<IpAddress> found;
  for (std::string_view line : Split(hosts_file, '\n')) {
    line = line.substr(0, line.find('#'));
    const auto words = SplitWhitespace(line);
    for (std::size_t i = 1; i < words.size(); ++i) {
      std::string_view name = words[i];
      if (name.ends_with('.')) name.remove_suffix(1);
      if (!EqualsIgnoreCase(name, host)) continue;
      if (auto ip = ParseIp(words[0])) found.push_back(std::move(*ip));
      break;
    }
  }
  return found;
}

Result<std::vector<IpAddress>> ResolveHost(std::string_view host, IpFamily family,
                                           Deadline deadline, const ResolverPaths& paths) {
  static CachedFile hosts_cache, resolv_cache;
  if (host.empty() || host.size() > 254) return Fail(ErrorCode::kNotFound, "no such host");
  if (auto ip = ParseIp(host)) {
    if (!Wanted(*ip, family)) return Fail(ErrorCode::kNotFound, "no suitable address found");
    return std::vector<IpAddress>{std::move(*ip)};
  }
  const bool rooted = host.ends_with('.');
  const std::string_view bare = rooted ? host.substr(0, host.size() - 1) : host;
  std::vector<IpAddress> found;
  for (auto& ip : FindInHosts(*hosts_cache.Get(paths.hosts), bare))
    if (Wanted(ip, family)) found.push_back(std::move(ip));
  if (!found.empty()) return found;
  // RFC 6761 6.4: never asked of the network.
  if (EqualsIgnoreCase(bare, "invalid") ||
      (bare.size() > 8 && EqualsIgnoreCase(bare.substr(bare.size() - 8), ".invalid")))
    return Fail(ErrorCode::kNotFound, "lookup " + std::string(host) + ": no such host");

  const ResolvConf conf = ParseResolvConf(*resolv_cache.Get(paths.resolv_conf));
  std::vector<std::string> names;
  const bool many_dots = std::count(bare.begin(), bare.end(), '.') >= conf.ndots;
  if (rooted || many_dots) names.emplace_back(bare);
  if (!rooted)
    for (const auto& suffix : conf.search) names.push_back(std::string(bare) + "." + suffix);
  if (!rooted && !many_dots) names.emplace_back(bare);
  Error last{ErrorCode::kNotFound, "no such host"};
  for (const auto& name : names) {
    auto answer = AskName(name, family, conf, deadline);
    if (answer) return answer;
    last = std::move(answer).error();
    if (last.code == ErrorCode::kTimeout) break;
  }
  return tl::make_unexpected(std::move(last).Within("lookup " + std::string(host)));
}

}  // namespace millrace::uptime_probe
