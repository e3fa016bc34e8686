#include "exporters/app_metrics/src/ids.h"

#include <array>
#include <chrono>
#include <cstddef>

#include <sys/random.h>

namespace millrace::app_metrics {
namespace {

constexpr char kHex[] = "0123456789abcdef";

constexpr std::array<bool, 256> MakeIdBytes() {
  std::array<bool, 256> ok{};
  for (int c = '0'; c <= '9'; ++c) ok[static_cast<std::size_t>(c)] = true;
  for (int c = 'a'; c <= 'z'; ++c) ok[static_cast<std::size_t>(c)] = true;
  for (int c = 'A'; c <= 'Z'; ++c) ok[static_cast<std::size_t>(c)] = true;
  for (const char c : std::string_view("._~+/=:@-")) ok[static_cast<std::size_t>(c)] = true;
  return ok;
}
constexpr auto kIdByte = MakeIdBytes();

bool IsLowerHex(std::string_view s) {
  for (const char c : s)
    if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'))) return false;
  return true;
}

bool IsZero(std::string_view s) { return s.find_first_not_of('0') == std::string_view::npos; }

std::uint64_t SplitMix(std::uint64_t& x) {
  std::uint64_t z = (x += 0x9e3779b97f4a7c15U);
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
  z = (z ^ z >> 27) * 0x94d049bb133111ebU;
  return z ^ z >> 31;
}

std::uint64_t Seed() {
  std::uint64_t seed = 0;
  if (::getrandom(&seed, sizeof seed, GRND_NONBLOCK) != sizeof seed) {
    // Only before the kernel's pool is ready: ids must differ, they need not be unguessable.
    seed = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) ^
           reinterpret_cast<std::uintptr_t>(&seed) << 20;
  }
  return seed;
}

}  // namespace

std::uint64_t Random64() {
  thread_local std::uint64_t state = Seed();
  return SplitMix(state);
}

void WriteHex16(char* out, std::uint64_t value) {
  for (int i = 15; i >= 0; --i, value >>= 4) out[i] = kHex[value & 15];
}

bool IsAcceptableRequestId(std::string_view id) {
  if (id.empty() || id.size() > kMaxRequestId) return false;
  for (const char c : id)
    if (!kIdByte[static_cast<unsigned char>(c)]) return false;
  return true;
}

std::optional<TraceParent> ParseTraceParent(std::string_view h) {
  if (h.size() < 55 || h[2] != '-' || h[35] != '-' || h[52] != '-') return std::nullopt;
  const std::string_view version = h.substr(0, 2), trace = h.substr(3, 32),
                         parent = h.substr(36, 16), flags = h.substr(53, 2);
  if (!IsLowerHex(version) || version == "ff" || !IsLowerHex(trace) || IsZero(trace) ||
      !IsLowerHex(parent) || IsZero(parent) || !IsLowerHex(flags))
    return std::nullopt;
  if (h.size() > 55 && (version == "00" || h[55] != '-')) return std::nullopt;
  const char low = flags[1];
  const int digit = low <= '9' ? low - '0' : low - 'a' + 10;
  return TraceParent{trace, parent, (digit & 1) != 0};
}

}  // namespace millrace::app_metrics
