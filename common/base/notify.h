#pragma once
// sd_notify(3) without libsystemd: one datagram to $NOTIFY_SOCKET.
#include <string_view>

namespace millrace {

/// "READY=1", "STOPPING=1", "RELOADING=1", "WATCHDOG=1", "STATUS=...". Does nothing outside
/// systemd.
void NotifySystemd(std::string_view state);

}  // namespace millrace
