#pragma once
// Byte streams with a deadline: TCP and Unix sockets here, TLS in tls.h on top of them.
#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "common/base/fd.h"
#include "common/base/result.h"
#include "exporters/uptime_probe/io/deadline.h"
#include "exporters/uptime_probe/io/ip.h"

namespace millrace::uptime_probe {

enum class WaitFor : unsigned char { kReadable, kWritable };
/// Sleeps until the descriptor is ready; kTimeout when the deadline comes first.
[[nodiscard]] Status Wait(int fd, WaitFor what, Deadline deadline);

/// Not thread safe. Every call ends by the deadline given at construction.
class Stream {
 public:
  virtual ~Stream() = default;
  /// At least one byte, or 0 at the end of the stream.
  [[nodiscard]] virtual Result<std::size_t> Read(char* buffer, std::size_t size) = 0;
  /// All of it.
  [[nodiscard]] virtual Status Write(std::string_view bytes) = 0;
  [[nodiscard]] virtual int fd() const = 0;
  [[nodiscard]] virtual Deadline deadline() const = 0;
};

class SocketStream final : public Stream {
 public:
  /// `socket` is connected and non-blocking.
  SocketStream(Fd socket, Deadline deadline) : socket_(std::move(socket)), deadline_(deadline) {}
  [[nodiscard]] Result<std::size_t> Read(char* buffer, std::size_t size) override;
  [[nodiscard]] Status Write(std::string_view bytes) override;
  [[nodiscard]] int fd() const override { return socket_.get(); }
  [[nodiscard]] Deadline deadline() const override { return deadline_; }

 private:
  Fd socket_;
  Deadline deadline_;
};

/// A connected, non-blocking TCP socket. `source` may be null.
[[nodiscard]] Result<Fd> ConnectTcp(const IpAddress& ip, std::uint16_t port,
                                    const IpAddress* source, Deadline deadline);
[[nodiscard]] Result<Fd> ConnectUnix(const std::string& path, Deadline deadline);

}  // namespace millrace::uptime_probe
