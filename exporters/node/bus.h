#pragma once
// The system D-Bus, through libsystemd's sd-bus. The library is loaded when it is first used: a
// host whose collectors need no D-Bus does not pay for it.
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::node {

struct BusObject {
  const char* service;    ///< "org.freedesktop.systemd1"
  std::string path;       ///< "/org/freedesktop/systemd1"
  const char* interface;  ///< "org.freedesktop.systemd1.Manager"
};

/// One connection. Every call waits at most two seconds. Not thread safe.
class SystemBus {
 public:
  /// kNotFound without a bus or without libsystemd.so.0. DBUS_SYSTEM_BUS_ADDRESS is honoured.
  [[nodiscard]] static Result<std::unique_ptr<SystemBus>> Open();
  ~SystemBus();
  SystemBus(const SystemBus&) = delete;
  SystemBus& operator=(const SystemBus&) = delete;

  [[nodiscard]] Result<std::string> Text(const BusObject& object, const char* property);
  /// `type` is the D-Bus type of the property: 'b', 'u' or 't'.
  [[nodiscard]] Result<std::uint64_t> Number(const BusObject& object, const char* property,
                                             char type);
  /// Calls a method without arguments whose answer is an array of structures of basic types
  /// (`fields`, such as "susso"); each field comes as text.
  [[nodiscard]] Result<std::vector<std::vector<std::string>>> List(const BusObject& object,
                                                                   const char* method,
                                                                   const char* fields);

 private:
  explicit SystemBus(void* bus) : bus_(bus) {}
  void* bus_;  ///< sd_bus*
};

}  // namespace millrace::node
