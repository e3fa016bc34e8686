#include "exporters/node/bus.h"

#include <cerrno>
#include <cstdlib>

#include <dlfcn.h>
#include <systemd/sd-bus.h>

namespace millrace::node {
namespace {

constexpr std::uint64_t kTimeoutMicroseconds = 2'000'000;
constexpr std::size_t kMostItems = 100'000;

/// The functions of libsystemd that are used, by their own names and types.
struct Library {
  decltype(&::sd_bus_open_system) open_system = nullptr;
  decltype(&::sd_bus_set_method_call_timeout) set_timeout = nullptr;
  decltype(&::sd_bus_flush_close_unref) close = nullptr;
  decltype(&::sd_bus_get_property_string) get_string = nullptr;
  decltype(&::sd_bus_get_property_trivial) get_trivial = nullptr;
  decltype(&::sd_bus_call_method) call = nullptr;
  decltype(&::sd_bus_message_enter_container) enter = nullptr;
  decltype(&::sd_bus_message_exit_container) exit = nullptr;
  decltype(&::sd_bus_message_read_basic) read = nullptr;
  decltype(&::sd_bus_message_unref) unref = nullptr;
  decltype(&::sd_bus_error_free) error_free = nullptr;
  bool complete = false;
};

Library Load() {
  Library l;
  void* handle = ::dlopen("libsystemd.so.0", RTLD_NOW | RTLD_LOCAL);  // never closed
  if (handle == nullptr) return l;
  const auto find = [handle](auto& function, const char* name) {
    function = reinterpret_cast<std::remove_reference_t<decltype(function)>>(::dlsym(handle, name));
    return function != nullptr;
  };
  l.complete =
      find(l.open_system, "sd_bus_open_system") &&
      find(l.set_timeout, "sd_bus_set_method_call_timeout") &&
      find(l.close, "sd_bus_flush_close_unref") &&
      find(l.get_string, "sd_bus_get_property_string") &&
      find(l.get_trivial, "sd_bus_get_property_trivial") && find(l.call, "sd_bus_call_method") &&
      find(l.enter, "sd_bus_message_enter_container") &&
      find(l.exit, "sd_bus_message_exit_container") && find(l.read, "sd_bus_message_read_basic") &&
      find(l.unref, "sd_bus_message_unref") && find(l.error_free, "sd_bus_error_free");
  return l;
}

const Library& Lib() {
  static const Library library = Load();
  return library;
}

sd_bus* Bus(void* p) { return static_cast<sd_bus*>(p); }

/// Error with the text that the other side sent, if it sent one.
tl::unexpected<Error> BusFailure(std::string what, int rc, sd_bus_error& error) {
  if (error.message != nullptr) what.append(": ").append(error.message);
  Lib().error_free(&error);
  return FailErrno(what, -rc);
}

/// One basic value as text; a negative errno on failure, 0 at the end of a container.
int ReadAsText(sd_bus_message* m, char type, std::string& out) {
  const auto number = [&](auto value) {
    const int rc = Lib().read(m, type, &value);
    if (rc > 0) out = std::to_string(value);
    return rc;
  };
  switch (type) {
    case 's':
    case 'o':
    case 'g': {
      const char* text = nullptr;
      const int rc = Lib().read(m, type, static_cast<void*>(&text));
      if (rc > 0) out = text;
      return rc;
    }
    case 'b':
    case 'i':
      return number(int{0});
    case 'u':
      return number(std::uint32_t{0});
    case 't':
      return number(std::uint64_t{0});
    default:
      return -EINVAL;
  }
}

}  // namespace

Result<std::unique_ptr<SystemBus>> SystemBus::Open() {
  if (!Lib().complete)
    return Fail(ErrorCode::kNotFound, "libsystemd.so.0 (systemd 240 or newer) is not installed");
  sd_bus* bus = nullptr;
  const int rc = Lib().open_system(&bus);
  if (rc < 0) return FailErrno("connect to the system bus", -rc);
  Lib().set_timeout(bus, kTimeoutMicroseconds);
  return std::unique_ptr<SystemBus>(new SystemBus(bus));
}

SystemBus::~SystemBus() { Lib().close(Bus(bus_)); }

Result<std::string> SystemBus::Text(const BusObject& object, const char* property) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  char* text = nullptr;
  const int rc = Lib().get_string(Bus(bus_), object.service, object.path.c_str(), object.interface,
                                  property, &error, &text);
  if (rc < 0) return BusFailure(object.path + " " + property, rc, error);
  std::string out = text;
  std::free(text);
  return out;
}

Result<std::uint64_t> SystemBus::Number(const BusObject& object, const char* property, char type) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  union {
    int b;
    std::uint32_t u;
    std::uint64_t t;
  } value{};
  const int rc = Lib().get_trivial(Bus(bus_), object.service, object.path.c_str(), object.interface,
                                   property, &error, type, &value);
  if (rc < 0) return BusFailure(object.path + " " + property, rc, error);
  return type == 't' ? value.t : type == 'u' ? value.u : static_cast<std::uint64_t>(value.b);
}

Result<std::vector<std::vector<std::string>>> SystemBus::List(const BusObject& object,
                                                              const char* method,
                                                              const char* fields) {
  sd_bus_error error = SD_BUS_ERROR_NULL;
  sd_bus_message* answer = nullptr;
  int rc = Lib().call(Bus(bus_), object.service, object.path.c_str(), object.interface, method,
                      &error, &answer, "");
  if (rc < 0) return BusFailure(object.path + " " + method, rc, error);
  const std::unique_ptr<sd_bus_message, decltype(Lib().unref)> owned(answer, Lib().unref);
  std::vector<std::vector<std::string>> items;
  rc = Lib().enter(answer, 'a', ("(" + std::string(fields) + ")").c_str());
  while (rc > 0 && items.size() < kMostItems) {
    rc = Lib().enter(answer, 'r', fields);
    if (rc <= 0) break;
    auto& item = items.emplace_back();
    for (const char* type = fields; *type != '\0' && rc > 0; ++type)
      rc = ReadAsText(answer, *type, item.emplace_back());
    if (rc > 0) rc = Lib().exit(answer);
  }
  if (rc < 0) return FailErrno(std::string(method), -rc);
  return items;
}

}  // namespace millrace::node
