#pragma once
// What a `_bulk` request came to: the reply's items, and what each means for its event.
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"

namespace millrace::agent {

struct BulkItem {
  int status = 0;
  bool failure_store = false;  ///< Taken, but redirected to the failure store.
  std::string type, reason;    ///< Of the error; empty when there is none.
};

/// Fills `items` with one entry per document, in the order of the request. kParse: it is not a
/// reply, or does not have `expected` items, so nothing in it may be believed. `body` gets padding
/// behind its end.
[[nodiscard]] Status ParseBulkReply(std::string& body, std::size_t expected,
                                    std::vector<BulkItem>& items);

/// The error of a reply that refuses the whole request: "type: reason", or the text's beginning.
[[nodiscard]] std::string ErrorOfReply(std::string_view body);

/// What is done with an event, or with a whole request.
enum class Verdict : std::uint8_t {
  kStored,       ///< The target has it.
  kRedirected,   ///< The target has it in its failure store.
  kDuplicate,    ///< The target had it before: our own replay.
  kRetry,        ///< Overload or a passing failure: the same again, later.
  kOperational,  ///< An operator has to act (closed, read-only, forbidden, ...): wait, never drop.
  kRefused,      ///< This event never: dead letter.
};
struct Judgement {
  Verdict verdict;
  std::string_view reason;  ///< Of a small fixed set, for metrics and dead letters.
  bool overload = false;    ///< The server asks for less.
};
/// `create`: the operation was create.
[[nodiscard]] Judgement JudgeItem(const BulkItem& item, bool create);

/// Of a status other than 200 for the whole request.
enum class WholeVerdict : std::uint8_t {
  kRetry,        ///< 408, 429, 5xx.
  kTooLarge,     ///< 413: halve.
  kBadRequest,   ///< 400: some line may be poison; halve to find it.
  kOperational,  ///< 401, 403, 404, redirects, anything else.
};
[[nodiscard]] WholeVerdict JudgeWhole(int status);

}  // namespace millrace::agent
