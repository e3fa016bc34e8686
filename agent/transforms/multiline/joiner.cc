#include "agent/transforms/multiline/joiner.h"

#include <algorithm>
#include <new>

#include "agent/core/json_text.h"
#include "agent/transforms/parse/merge.h"

namespace millrace::agent {
namespace {

/// A batch of one event that shares no memory with `from`.
std::unique_ptr<EventBatch> Detach(const EventBatch& from, std::size_t i) {
  auto out = std::make_unique<EventBatch>();
  const Event& e = from.event(i);
  out->stream = from.stream;
  Event& copy = out->Begin(e.position, e.time_ns);
  copy.part = e.part;
  copy.flags = e.flags;
  if (e.id != nullptr) {
    void* place = out->arena.Allocate(sizeof(EventId) + alignof(EventId));
    std::size_t room = sizeof(EventId) + alignof(EventId);
    copy.id = new (std::align(alignof(EventId), sizeof(EventId), place, room)) EventId(*e.id);
  }
  const auto add = [&](Field f) {
    f.name_data = out->arena.Copy(f.name()).data();
    if (f.is_text()) f.str = out->arena.Copy(f.text()).data();
    out->Append(f);
  };
  for (const Field& f : from.fields(e)) add(f);
  for (const Field& c : from.common()) {
    const auto own = from.fields(e);
    if (std::none_of(own.begin(), own.end(), [&](const Field& f) { return f.name() == c.name(); }))
      add(c);
  }
  return out;
}

void TakeTokens(EventBatch& held, const EventBatch& batch) {
  for (const auto& token : batch.acks) {
    if (std::find(held.acks.begin(), held.acks.end(), token) != held.acks.end()) continue;
    token->AddHolder();
    held.acks.push_back(token);
  }
}

}  // namespace

Joiner::Joiner(Options options, std::shared_ptr<const LineRules> rules,
               std::shared_ptr<Metrics> metrics)
    : options_(std::move(options)), rules_(std::move(rules)), metrics_(std::move(metrics)) {}

std::unique_ptr<Transform> Joiner::Clone() const {
  return std::make_unique<Joiner>(options_, rules_, metrics_);
}

Joiner::Open& Joiner::Find(const EventBatch& batch, std::size_t i) {
  key_.assign(reinterpret_cast<const char*>(&batch.stream), sizeof batch.stream);
  Buffer value;
  for (const Path& path : options_.group_by) {
    value.clear();
    json::Append(value, path.Get(batch, batch.event(i)));
    key_ += value.view();
    key_ += '\0';
  }
  return open_[key_];
}

void Joiner::Begin(Open& o, std::uint32_t i, std::string_view line, const LineRules::Step& step) {
  o.open = true;
  o.state = step.state;
  o.index = i;
  o.held.reset();
  o.lines = 1;
  o.slice = line;
  o.text.clear();
  touched_.push_back(&o);
}

void Joiner::Append(EventBatch& batch, Open& o, std::string_view line) {
  ++o.lines;
  if (o.index == Open::kHeld && o.tokens_of != batch_number_) {
    TakeTokens(*o.held, batch);
    o.tokens_of = batch_number_;
  }
  if (o.slice.data() != nullptr) {
    // Lines of a file lie behind each other with their line feed: the joined text is there already.
    const char* const end = o.slice.data() + o.slice.size();
    if (options_.separator == "\n" && line.data() == end + 1 && *end == '\n') {
      o.slice = {o.slice.data(), o.slice.size() + 1 + line.size()};
      return;
    }
    o.text = o.slice;
    o.slice = {};
  }
  o.text += options_.separator;
  o.text += line;
}

void Joiner::Close(EventBatch& batch, Open& o, std::uint32_t before) {
  o.open = false;
  if (o.index == Open::kHeld) {
    options_.field.Set(*o.held, 0, Value::Text(o.held->arena.Copy(o.text)));
    inserts_.push_back({before, std::move(o.held)});
  } else if (o.lines > 1) {
    const std::string_view joined = o.slice.data() != nullptr ? o.slice : batch.arena.Copy(o.text);
    options_.field.Set(batch, o.index, Value::Text(joined));
  }
  o.index = Open::kHeld;
}

void Joiner::Apply(EventBatch& batch) {
  const Clock::time_point now = options_.now();
  inserts_.clear();
  touched_.clear();
  std::size_t splits = 0;
  Open* const common = options_.group_by.empty() && !batch.empty() ? &Find(batch, 0) : nullptr;
  ++batch_number_;
  const auto size = static_cast<std::uint32_t>(batch.size());
  for (std::uint32_t i = 0; i < size; ++i) {
    Open& o = common != nullptr ? *common : Find(batch, i);
    o.last = now;
    const std::string_view line = TextOf(options_.field.Get(batch, batch.event(i)), batch.arena);
    if (line.data() == nullptr) {
      if (o.open) Close(batch, o, i);
      continue;
    }
    if (o.open) {
      const LineRules::Step step = rules_->Next(o.state, line);
      const bool fits = o.lines < options_.max_lines &&
                        o.size() + options_.separator.size() + line.size() <= options_.max_bytes;
      if (step.matched && fits) {
        Append(batch, o, line);
        o.state = step.state;
        batch.Drop(i);
        if (step.last) Close(batch, o, i);
        continue;
      }
      Close(batch, o, i);
      if (step.matched) {
        // Too large: the rest goes on as a message of its own.
        ++splits;
        Begin(o, i, line, step);
        if (step.last) Close(batch, o, i);
        continue;
      }
    }
    const LineRules::Step step = rules_->Next(0, line);
    if (!step.matched) continue;
    Begin(o, i, line, step);
    if (step.last) Close(batch, o, i);
  }
  HoldOpenOnes(batch);
  if (!inserts_.empty()) PutInserts(batch);
  if (common != nullptr) {
    if (!common->open) open_.erase(key_);
  } else if (open_.size() > sweep_at_) {
    // Not for every batch: there may be thousands of other streams.
    std::erase_if(open_, [](const auto& item) { return !item.second.open; });
    sweep_at_ = 64 + open_.size() * 2;
  }
  if (splits != 0)
    metrics_->GetCounter("multiline_splits_total", "Messages cut because they were too large.")
        .Add(static_cast<double>(splits));
}

void Joiner::HoldOpenOnes(EventBatch& batch) {
  for (Open* o : touched_) {
    if (!o->open || o->index == Open::kHeld) continue;
    if (o->slice.data() != nullptr) o->text = o->slice;
    o->slice = {};
    o->held = Detach(batch, o->index);
    TakeTokens(*o->held, batch);
    o->tokens_of = batch_number_;
    batch.Drop(o->index);
    o->index = Open::kHeld;
  }
}

void Joiner::PutInserts(EventBatch& batch) {
  const auto size = static_cast<std::uint32_t>(batch.size());
  for (const Insert& insert : inserts_) {
    batch.arena.Share(insert.held->arena);
    batch.CopyEvent(*insert.held, 0);
    for (const auto& token : insert.held->acks) {
      // The batch answers for the tokens from here on.
      if (std::find(batch.acks.begin(), batch.acks.end(), token) != batch.acks.end())
        token->Settle();
      else
        batch.acks.push_back(token);
    }
    batch.bytes += insert.held->bytes;
  }
  places_.clear();
  std::uint32_t next = 0;
  for (std::uint32_t i = 0; i <= size; ++i) {
    for (; next < inserts_.size() && inserts_[next].before <= i; ++next)
      places_.push_back({size + next, 0});
    if (i < size && !batch.IsDropped(i)) places_.push_back({i, batch.event(i).output});
  }
  batch.Spread(places_);
  inserts_.clear();
}

std::vector<std::unique_ptr<EventBatch>> Joiner::Flush(bool final) {
  std::vector<std::unique_ptr<EventBatch>> out;
  const Clock::time_point now = options_.now();
  for (auto it = open_.begin(); it != open_.end();) {
    Open& o = it->second;
    if (!o.open) {
      it = open_.erase(it);
      continue;
    }
    if (!final && now - o.last < options_.timeout) {
      ++it;
      continue;
    }
    options_.field.Set(*o.held, 0, Value::Text(o.held->arena.Copy(o.text)));
    out.push_back(std::move(o.held));
    it = open_.erase(it);
  }
  return out;
}

}  // namespace millrace::agent
