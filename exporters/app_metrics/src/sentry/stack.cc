#include "exporters/app_metrics/src/sentry/stack.h"

#include <algorithm>
#include <cstdlib>
#include <memory>

#include <cxxabi.h>
#include <dlfcn.h>
#include <elf.h>
#include <execinfo.h>
#include <link.h>
#include <unistd.h>
#ifdef MILLRACE_HAVE_BACKTRACE
#include <backtrace.h>
#endif

namespace millrace::app_metrics::sentry {
namespace {

std::string Demangled(const char* name) {
  int status = 0;
  const std::unique_ptr<char, decltype(&std::free)> text(
      abi::__cxa_demangle(name, nullptr, nullptr, &status), &std::free);
  return status == 0 && text ? text.get() : name;
}

#ifdef MILLRACE_HAVE_BACKTRACE
void IgnoreError(void* /*data*/, const char* /*message*/, int /*number*/) {}

backtrace_state* State() {
  static backtrace_state* const state =
      ::backtrace_create_state(nullptr, /*threaded=*/1, &IgnoreError, nullptr);
  return state;
}

struct Lookup {
  std::vector<Frame>* frames;
  std::uint64_t address;
  std::size_t found = 0;
};

int TakeLine(void* data, std::uintptr_t /*pc*/, const char* file, int line, const char* function) {
  auto& lookup = *static_cast<Lookup*>(data);
  if (file == nullptr && function == nullptr) return 0;
  Frame f;
  f.address = lookup.address;
  if (function != nullptr) f.function = Demangled(function);
  if (file != nullptr) f.file = file;
  f.line = line;
  lookup.frames->push_back(std::move(f));
  ++lookup.found;
  return 0;
}

bool LookUpLines(std::uint64_t address, std::vector<Frame>& frames) {
  Lookup lookup{&frames, address};
  if (State() != nullptr)
    ::backtrace_pcinfo(State(), address - 1, &TakeLine, &IgnoreError, &lookup);
  return lookup.found > 0;
}

void TakeSymbol(void* data, std::uintptr_t /*pc*/, const char* name, std::uintptr_t /*value*/,
                std::uintptr_t /*size*/) {
  if (name != nullptr) *static_cast<std::string*>(data) = Demangled(name);
}

std::string SymbolOf(std::uint64_t address) {
  std::string name;
  if (State() != nullptr)
    ::backtrace_syminfo(State(), address - 1, &TakeSymbol, &IgnoreError, &name);
  return name;
}
#else
bool LookUpLines(std::uint64_t /*address*/, std::vector<Frame>& /*frames*/) { return false; }
std::string SymbolOf(std::uint64_t /*address*/) { return {}; }
#endif

// The note with the build id among the program headers.
std::string BuildId(const dl_phdr_info& info) {
  constexpr char kHex[] = "0123456789abcdef";
  for (int i = 0; i < info.dlpi_phnum; ++i) {
    const ElfW(Phdr)& h = info.dlpi_phdr[i];
    if (h.p_type != PT_NOTE) continue;
    const auto* p = reinterpret_cast<const unsigned char*>(info.dlpi_addr + h.p_vaddr);
    const unsigned char* const end = p + h.p_memsz;
    while (p + sizeof(ElfW(Nhdr)) <= end) {
      const auto* note = reinterpret_cast<const ElfW(Nhdr)*>(p);
      const unsigned char* name = p + sizeof *note;
      const unsigned char* id = name + (note->n_namesz + 3U) / 4 * 4;
      if (id + note->n_descsz > end) break;
      if (note->n_type == NT_GNU_BUILD_ID && note->n_namesz == 4) {
        std::string hex;
        for (std::size_t k = 0; k < note->n_descsz; ++k) {
          hex += kHex[id[k] >> 4];
          hex += kHex[id[k] & 15];
        }
        return hex;
      }
      p = id + (note->n_descsz + 3U) / 4 * 4;
    }
  }
  return {};
}

int TakeImage(dl_phdr_info* info, std::size_t /*size*/, void* data) {
  auto& images = *static_cast<std::vector<Image>*>(data);
  Image image;
  image.path = info->dlpi_name;
  if (image.path.empty() && images.empty()) {  // the executable comes first, without a name
    char path[4096];
    const ssize_t n = ::readlink("/proc/self/exe", path, sizeof path);
    if (n > 0) image.path.assign(path, static_cast<std::size_t>(n));
  }
  std::uint64_t begin = ~std::uint64_t{0}, end = 0;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr)& h = info->dlpi_phdr[i];
    if (h.p_type != PT_LOAD) continue;
    begin = std::min<std::uint64_t>(begin, info->dlpi_addr + h.p_vaddr);
    end = std::max<std::uint64_t>(end, info->dlpi_addr + h.p_vaddr + h.p_memsz);
  }
  if (end == 0) return 0;
  image.begin = begin;
  image.end = end;
  image.code_id = BuildId(*info);
  images.push_back(std::move(image));
  return 0;
}

}  // namespace

void CaptureStack(RawStack& out, const void* from) {
  const int n = ::backtrace(out.addresses.data(), static_cast<int>(out.addresses.size()));
  const auto begin = out.addresses.begin(), end = begin + std::max(n, 0);
  auto first = std::find(begin, end, from);
  if (first == end) first = begin;
  out.size = static_cast<std::size_t>(std::copy(first, end, begin) - begin);
}

std::vector<Frame> Symbolize(const std::vector<std::uint64_t>& addresses) {
  std::vector<Frame> frames;
  for (const std::uint64_t address : addresses) {
    if (address == 0) continue;
    const std::size_t first = frames.size();
    if (!LookUpLines(address, frames)) {
      Frame& f = frames.emplace_back();
      f.address = address;
      f.function = SymbolOf(address);
    }
    Dl_info info{};
    if (::dladdr(reinterpret_cast<void*>(address - 1), &info) == 0) continue;
    for (std::size_t i = first; i < frames.size(); ++i) {
      if (info.dli_fname != nullptr) frames[i].module = info.dli_fname;
      if (frames[i].function.empty() && info.dli_sname != nullptr)
        frames[i].function = Demangled(info.dli_sname);
    }
  }
  return frames;
}

std::vector<Image> LoadedImages() {
  std::vector<Image> images;
  ::dl_iterate_phdr(&TakeImage, &images);
  return images;
}

}  // namespace millrace::app_metrics::sentry
