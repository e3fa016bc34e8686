#pragma once
// Events to the lines of a `_bulk` request.
#include <memory>
#include <string>

#include "agent/encode/encoder.h"
#include "agent/sinks/elasticsearch/config.h"
#include "agent/sinks/elasticsearch/items.h"
#include "agent/sinks/elasticsearch/targets.h"
#include "common/base/buffer.h"

namespace millrace::agent {

/// Not thread safe: one for each thread.
class BulkEncoder {
 public:
  explicit BulkEncoder(const ElasticsearchConfig& config);
  /// The action line and the document, each with its line feed.
  void Append(const Item& item, Buffer& out);
  /// The document's _id as it is sent.
  void AppendId(const Item& item, Buffer& out) const;

 private:
  std::string id_key_;
  bool stamp_;
  std::unique_ptr<Encoder> encoder_;
  std::shared_ptr<Held> started_;  ///< Kept, so that no other one gets its address.
};

}  // namespace millrace::agent
