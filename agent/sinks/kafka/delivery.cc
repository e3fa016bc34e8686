#include "agent/sinks/kafka/delivery.h"

#include <algorithm>
#include <utility>

#include "common/base/check.h"
#include "common/log/log.h"

namespace millrace::agent::kafka {
namespace {

using std::chrono::milliseconds;

/// What librdkafka and we keep for a message beside its payload.
constexpr std::size_t kBytesPerMessage = 450;
/// Topics that have nothing under way are let go beyond this.
constexpr std::size_t kMaxIdleTopics = 500;
constexpr std::uint64_t kSmallestBatch = 16 * 1024;
/// A slot's text that is larger was an exception.
constexpr std::size_t kKeptText = 512 * 1024;
constexpr milliseconds kAskTimeout{1000};
constexpr milliseconds kPurgeTimeout{5000};
constexpr std::chrono::seconds kReopenAfter{5}, kBuryAgainAfter{5};

std::string_view ReasonOf(rd_kafka_resp_err_t error) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
      return "too_large";
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return "expired";
    default:
      return "invalid_record";
  }
}

std::size_t SizeOf(const Outgoing& m) { return std::size_t{m.size} + m.key_size; }

}  // namespace

Fate FateOf(rd_kafka_resp_err_t error, bool may_expire) {
  switch (error) {
    case RD_KAFKA_RESP_ERR_NO_ERROR:
      return Fate::kDelivered;
    case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
    case RD_KAFKA_RESP_ERR_INVALID_MSG:
    case RD_KAFKA_RESP_ERR_INVALID_RECORD:
    case RD_KAFKA_RESP_ERR_INVALID_TIMESTAMP:
    case RD_KAFKA_RESP_ERR_UNSUPPORTED_FOR_MESSAGE_FORMAT:
      return Fate::kRefused;
    case RD_KAFKA_RESP_ERR__MSG_TIMED_OUT:
      return may_expire ? Fate::kExpired : Fate::kAgain;
    default:
      return Fate::kAgain;
  }
}

Delivery::Delivery(const Api& api, const KafkaSinkConfig& config, const Context& context)
    : api_(api),
      config_(config),
      context_(context),
      health_(api, context.id, *context.metrics),
      dead_letters_(config.dead_letter, context),
      fatal_errors_(context.metrics->GetCounter(
          "kafka_producers_made_anew_total",
          "Producers replaced after a fatal error, a stall, or a batch too large for its topic.")),
      paused_topics_(context.metrics->GetGauge(
          "kafka_paused_topics", "Topics that cannot be written to now (access, absence).")),
      in_flight_bytes_(context.metrics->GetGauge(
          "kafka_in_flight_bytes", "Memory of events that no broker has confirmed yet.")),
      latency_(context.metrics->GetHistogram(
          "kafka_delivery_seconds", "Time from taking a batch of events to its last confirmation.",
          {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30})),
      producer_(api, config, context.id, health_),
      batch_bytes_(config.batch.max_bytes.value),
      last_progress_(Clock::now()) {
  for (const auto& [name, text] : config.headers) {
    // Checked when the configuration was read.
    auto parsed = Template::Parse(text, TemplateUse::kText);
    MILLRACE_CHECK(parsed.has_value());
    header_templates_.push_back(std::move(*parsed));
  }
  header_values_.resize(header_templates_.size());
}

Delivery::~Delivery() {
  for (auto& [name, topic] : topics_) topic->handle.reset();
  if (open_) producer_.Purge();
  producer_.Close();
}

Status Delivery::Open() {
  MILLRACE_TRY(producer_.Open(batch_bytes_));
  open_ = true;
  return {};
}

Slot& Delivery::Acquire() {
  if (free_.empty()) {
    slots_.push_back(std::make_unique<Slot>());
    return *slots_.back();
  }
  Slot& slot = *free_.back();
  free_.pop_back();
  return slot;
}

void Delivery::SetTopic(Outgoing& m, const std::string& name) {
  auto it = topics_.find(name);
  if (it == topics_.end()) {
    if (topics_.size() >= kMaxIdleTopics)
      std::erase_if(topics_, [](const auto& t) { return t.second->open == 0; });
    auto topic = std::make_unique<Topic>(name, &api_);
    if (open_) topic->handle = producer_.MakeTopic(name);
    it = topics_.emplace(name, std::move(topic)).first;
  }
  m.topic = it->second.get();
  ++m.topic->open;
}

void Delivery::Accept(Slot& slot) {
  slot.sequence = next_sequence_++;
  slot.accepted = Clock::now();
  slot.open = slot.messages.size();
  slot.bytes = slot.view->Footprint() + slot.text.size() + slot.open * kBytesPerMessage;
  bytes_ += slot.bytes;
  ++used_;
  // One more, so that the slot stays while its messages are handed over.
  ++slot.open;
  for (Outgoing& m : slot.messages) {
    if (m.topic->waiting.empty() && open_)
      Send(m);
    else
      Wait(m);
  }
  if (--slot.open == 0) {
    Outgoing none;
    none.slot = &slot;
    slot.open = 1;
    Settle(none);
  }
}

std::span<const OutgoingHeader> Delivery::HeadersOf(const Outgoing& m) {
  std::size_t n = 0;
  const EventBatch& batch = *m.slot->view;
  const Event& event = batch.event(m.event);
  if (config_.event_id_header) {
    if (ids_sequence_ != m.slot->sequence) {
      ids_.Start(batch);
      ids_sequence_ = m.slot->sequence;
    }
    headers_[n++] = {kIdHeader, ids_.Value(batch, event)};
  }
  std::size_t i = 0;
  for (const auto& [name, text] : config_.headers) {
    std::string& value = header_values_[i];
    value.clear();
    if (!header_templates_[i++].Render(batch, event, "", value).missing)
      headers_[n++] = {name.c_str(), value};
  }
  return {headers_.data(), n};
}

void Delivery::Send(Outgoing& m) {
  const rd_kafka_resp_err_t error = producer_.Produce(m, HeadersOf(m));
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR) {
    m.state = Outgoing::State::kSent;
    ++sent_;
  } else if (error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE) {
    m.state = Outgoing::State::kRefused;
    dead_.push_back({&m, ReasonOf(error), error});
  } else {
    Wait(m);
    OnTrouble(*m.topic, error);
  }
}

void Delivery::OnReport(Outgoing& m, rd_kafka_resp_err_t error) {
  --sent_;
  if (alone_ == &m) {
    alone_ = nullptr;
    alone_result_ = error;
    m.state = Outgoing::State::kRefused;
    return;
  }
  switch (FateOf(error, config_.message_timeout_ms > 0)) {
    case Fate::kDelivered:
      if (m.topic->trouble != RD_KAFKA_RESP_ERR_NO_ERROR) Resume(*m.topic);
      ++delivered_events_;
      delivered_bytes_ += SizeOf(m);
      return Settle(m);
    case Fate::kAgain:
      Wait(m);
      if (!anew_) OnTrouble(*m.topic, error);
      return;
    case Fate::kRefused:
      m.state = Outgoing::State::kRefused;
      refused_.push_back(&m);
      refusal_ = error;
      return;
    case Fate::kExpired:
      m.state = Outgoing::State::kRefused;
      dead_.push_back({&m, ReasonOf(error), error});
      return;
  }
}

void Delivery::Settle(Outgoing& m) {
  Slot& slot = *m.slot;
  m.state = Outgoing::State::kDone;
  if (m.topic != nullptr) --m.topic->open;
  if (--slot.open > 0) return;
  latency_.Observe(std::chrono::duration<double>(Clock::now() - slot.accepted).count());
  bytes_ -= slot.bytes;
  --used_;
  slot.view.Delivered();
  slot.text.ShrinkTo(kKeptText);
  slot.messages.clear();
  free_.push_back(&slot);
}

void Delivery::Wait(Outgoing& m) {
  m.state = Outgoing::State::kWaiting;
  m.topic->waiting.push_back(&m);
  ++waiting_;
}

void Delivery::OnTrouble(Topic& topic, rd_kafka_resp_err_t error) {
  const auto now = Clock::now();
  // Many messages fail together: that is one failure.
  if (topic.retry_at > now && topic.trouble == error) return;
  topic.retry_at = now + topic.backoff.Next();
  if (topic.trouble == error) return;
  topic.trouble = error;
  context_.metrics->Errors("request_failed").Add();
  log::Error("Kafka topic cannot be written to; its events wait",
             {{"component", context_.id}, {"topic", topic.name}, {"error", api_.err2str(error)}});
}

void Delivery::Resume(Topic& topic) {
  log::Info("Kafka topic can be written to again",
            {{"component", context_.id}, {"topic", topic.name}});
  topic.trouble = RD_KAFKA_RESP_ERR_NO_ERROR;
  topic.backoff.Reset();
}

void Delivery::Serve(milliseconds wait, const std::stop_token& stop) {
  const auto now = Clock::now();
  if (!open_) {
    Reopen(now);
    if (!open_) return static_cast<void>(SleepFor(stop, std::min(wait, milliseconds(100))));
  }
  producer_.Serve(wait, [this](Outgoing& m, rd_kafka_resp_err_t e) { OnReport(m, e); });
  if (delivered_events_ > 0) {
    last_progress_ = now;
    health_.OnProgress();
    context_.metrics->sent_events.Add(static_cast<double>(std::exchange(delivered_events_, 0)));
    context_.metrics->sent_bytes.Add(static_cast<double>(std::exchange(delivered_bytes_, 0)));
  }
  if (producer_.fatal()) MakeAnew("fatal error");
  if (!refused_.empty() && sent_ == 0 && open_) LookIntoRefused(stop);
  if (!dead_.empty() && now >= next_burial_) Bury(now);
  if (waiting_ > 0 && refused_.empty() && now >= next_retry_) RetryDue(now);
  WatchForStall(now);
  UpdateGauges();
}

void Delivery::RetryDue(Clock::time_point now) {
  next_retry_ = now + milliseconds(50);
  for (auto& [name, topic] : topics_) {
    if (!open_) return;
    if (topic->waiting.empty() || now < topic->retry_at) continue;
    if (topic->trouble != RD_KAFKA_RESP_ERR_NO_ERROR) {
      // Also makes librdkafka look again: it remembers that a topic does not exist.
      if (!producer_.Ask(topic->handle.get(), kAskTimeout)) {
        topic->retry_at = Clock::now() + topic->backoff.Next();
        continue;
      }
    }
    const auto list = std::exchange(topic->waiting, {});
    waiting_ -= list.size();
    std::vector<Outgoing*> sorted(list.begin(), list.end());
    std::sort(sorted.begin(), sorted.end(), Before);
    // Once one has to wait again, so do those behind it.
    for (Outgoing* m : sorted) {
      if (topic->waiting.empty())
        Send(*m);
      else
        Wait(*m);
    }
  }
}

rd_kafka_resp_err_t Delivery::SendAlone(Outgoing& m, const std::stop_token& stop) {
  alone_ = &m;
  const rd_kafka_resp_err_t error = producer_.Produce(m, HeadersOf(m));
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) {
    alone_ = nullptr;
    return error;
  }
  m.state = Outgoing::State::kSent;
  ++sent_;
  while (alone_ != nullptr && !stop.stop_requested() && !producer_.fatal()) {
    producer_.Hurry();
    producer_.Serve(milliseconds(5),
                    [this](Outgoing& o, rd_kafka_resp_err_t e) { OnReport(o, e); });
  }
  // Stopped or fatal: it is still out, and settled like any other.
  if (std::exchange(alone_, nullptr) != nullptr) return RD_KAFKA_RESP_ERR__IN_PROGRESS;
  return alone_result_;
}

void Delivery::LookIntoRefused(const std::stop_token& stop) {
  std::vector<Outgoing*> list = std::exchange(refused_, {});
  std::sort(list.begin(), list.end(), Before);
  const bool by_size = refusal_ == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
  // The largest decides whether it is the message or the batch.
  const auto largest = std::max_element(list.begin(), list.end(),
                                        [](auto* a, auto* b) { return SizeOf(*a) < SizeOf(*b); });
  if (by_size) std::rotate(list.begin(), largest, largest + 1);
  bool smaller_batches = false;
  for (std::size_t i = 0; i < list.size(); ++i) {
    Outgoing& m = *list[i];
    const bool try_alone = i == 0 || !by_size;
    if (!try_alone || stop.stop_requested() || producer_.fatal()) {
      Wait(m);
      continue;
    }
    const rd_kafka_resp_err_t error = SendAlone(m, stop);
    if (error == RD_KAFKA_RESP_ERR__IN_PROGRESS) continue;
    switch (FateOf(error, config_.message_timeout_ms > 0)) {
      case Fate::kDelivered:
        ++delivered_events_;
        delivered_bytes_ += SizeOf(m);
        smaller_batches = by_size && list.size() > 1 && batch_bytes_ > kSmallestBatch;
        Settle(m);
        break;
      case Fate::kAgain:
        Wait(m);
        OnTrouble(*m.topic, error);
        break;
      case Fate::kRefused:
      case Fate::kExpired:
        dead_.push_back({&m, ReasonOf(error), error});
        break;
    }
  }
  if (!smaller_batches) return;
  batch_bytes_ = std::max(batch_bytes_ / 2, kSmallestBatch);
  log::Warn("Kafka refuses batches of this size; trying half",
            {{"component", context_.id}, {"batch_bytes", batch_bytes_}});
  MakeAnew("batches were too large");
}

void Delivery::Bury(Clock::time_point now) {
  auto letters = dead_letters_.Start();
  for (const Dead& d : dead_) {
    const EventBatch& batch = *d.message->slot->view;
    letters.Add(batch, batch.event(d.message->event),
                {.reason = d.reason,
                 .code = d.error,
                 .target = d.message->topic->name,
                 .response = api_.err2str(d.error),
                 .id = ""});
  }
  if (const Status written = dead_letters_.Commit(letters); !written) {
    static log::Limit limit(std::chrono::seconds(60));
    if (limit.Pass())
      log::Error("Dead letters cannot be written; the sink waits",
                 {{"component", context_.id}, {"error", written.error()}});
    next_burial_ = now + kBuryAgainAfter;
    return;
  }
  for (const Dead& d : std::exchange(dead_, {})) {
    context_.metrics->Discarded(d.reason, false).Add();
    static log::Limit limit;
    if (limit.Pass())
      log::Warn("Kafka refused an event for good; it is in the dead letters",
                {{"component", context_.id},
                 {"topic", d.message->topic->name},
                 {"reason", d.reason},
                 {"bytes", SizeOf(*d.message)},
                 {"file", dead_letters_.path()}});
    Settle(*d.message);
  }
}

void Delivery::MakeAnew(std::string_view why) {
  log::Warn("Kafka producer is made anew; what is not confirmed is sent again",
            {{"component", context_.id}, {"why", why}, {"messages", sent_ + waiting_}});
  fatal_errors_.Add();
  anew_ = true;
  producer_.Purge();
  const auto deadline = Clock::now() + kPurgeTimeout;
  while (sent_ > 0 && Clock::now() < deadline)
    producer_.Serve(milliseconds(100),
                    [this](Outgoing& m, rd_kafka_resp_err_t e) { OnReport(m, e); });
  anew_ = false;
  for (auto& [name, topic] : topics_) {
    topic->handle.reset();
    topic->retry_at = {};
  }
  producer_.Close();
  open_ = false;
  // What was not reported on in time is ours again now that the client is gone.
  for (const auto& slot : slots_)
    for (Outgoing& m : slot->messages)
      if (m.state == Outgoing::State::kSent) Wait(m);
  for (Outgoing* m : std::exchange(refused_, {})) Wait(*m);
  sent_ = 0;
  Reopen(Clock::now());
}

void Delivery::Reopen(Clock::time_point now) {
  if (now < next_open_) return;
  next_open_ = now + kReopenAfter;
  if (const Status opened = Open(); !opened) {
    log::Error("Cannot make the Kafka producer",
               {{"component", context_.id}, {"error", opened.error()}});
    return;
  }
  next_open_ = {};
  next_retry_ = {};
  last_progress_ = now;
  for (auto& [name, topic] : topics_) topic->handle = producer_.MakeTopic(name);
}

void Delivery::WatchForStall(Clock::time_point now) {
  if (sent_ == 0) last_progress_ = now;
  if (!open_ || now - last_progress_ < config_.stall_timeout) return;
  last_progress_ = now;
  for (const auto& [name, topic] : topics_) {
    if (topic->open <= topic->waiting.size()) continue;
    // With the cluster down there is nothing to gain, and idempotence to lose.
    if (producer_.Ask(topic->handle.get(), kAskTimeout))
      MakeAnew("the cluster answers but takes no messages");
    return;
  }
}

void Delivery::UpdateGauges() {
  in_flight_bytes_.Set(static_cast<double>(bytes_));
  std::size_t paused = 0;
  if (waiting_ > 0)
    for (const auto& [name, topic] : topics_)
      paused += topic->trouble != RD_KAFKA_RESP_ERR_NO_ERROR ? 1U : 0U;
  paused_topics_.Set(static_cast<double>(paused));
}

}  // namespace millrace::agent::kafka
