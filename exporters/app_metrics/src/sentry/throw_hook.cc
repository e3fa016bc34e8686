// Remembers where an exception was thrown: when a handler's exception arrives at the middleware,
// its stack is gone. Costs the walk of the stack, a few microseconds, on each throw of a program
// that links millrace::app_metrics_sentry.
#include <cstdlib>
#include <cstring>
#include <typeinfo>

#include <dlfcn.h>

#include "exporters/app_metrics/src/sentry/stack.h"

namespace millrace::app_metrics::sentry {
namespace {

struct LastThrow {
  const void* object = nullptr;
  RawStack stack;
};
thread_local LastThrow last_throw;

}  // namespace

bool StackOfThrow(const std::exception_ptr& exception, RawStack& out) {
  // In libstdc++ and libc++ an exception_ptr is the address of the thrown object.
  const void* object = nullptr;
  static_assert(sizeof object == sizeof exception);
  std::memcpy(&object, static_cast<const void*>(&exception), sizeof object);
  if (object == nullptr || object != last_throw.object) return false;
  out = last_throw.stack;
  return out.size > 0;
}

void RememberThrow(const void* object, const void* from) {
  // The object's memory may have served an earlier exception: this one is the one that counts.
  last_throw.object = object;
  CaptureStack(last_throw.stack, from);
}

}  // namespace millrace::app_metrics::sentry

extern "C" [[noreturn]] void __cxa_throw(void* object, std::type_info* type,
                                         void (*destroy)(void*));

extern "C" void __cxa_throw(void* object, std::type_info* type, void (*destroy)(void*)) {
  using Throw = void (*)(void*, std::type_info*, void (*)(void*));
  // Not a function-local static with a lambda that may throw: this is the throw.
  static const auto real = reinterpret_cast<Throw>(::dlsym(RTLD_NEXT, "__cxa_throw"));
  if (real == nullptr) std::abort();
  millrace::app_metrics::sentry::RememberThrow(object, __builtin_return_address(0));
  real(object, type, destroy);
  __builtin_unreachable();
}
