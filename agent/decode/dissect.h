#pragma once
// Lines cut at fixed delimiters: `%{time} %{level} [%{thread}] %{message}`.
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "agent/decode/decoder.h"
#include "common/base/result.h"

namespace millrace::agent {

/// `%{name}` is the text up to the next delimiter, the last one the rest. `%{}` and `%{?name}` are
/// read over. `%{+name}` goes on with the field of that name, the delimiter between them;
/// `%{+name/2}` says in which order. `%{name->}` is followed by any number of its delimiter.
class DissectDecoder final : public Decoder {
 public:
  [[nodiscard]] static Result<std::shared_ptr<const DissectDecoder>> Make(std::string_view pattern,
                                                                          bool infer_types);
  const char* Decode(std::string_view text, Arena& arena, Decoded& out) const override;

 private:
  struct Key {
    std::string_view name;  ///< Interned; empty: read over.
    std::string before;     ///< Stands between it and what it is appended to.
    std::string delimiter;  ///< Behind it; empty for the last one.
    int order = 0;          ///< Of "+name/2".
    bool append = false, repeat = false, infer = false;
  };
  std::string prefix_;
  std::vector<Key> keys_;
  bool appends_ = false;
};

}  // namespace millrace::agent
