#include "agent/sinks/elasticsearch/courier.h"

#include <algorithm>
#include <optional>

#include "common/base/strings.h"

namespace millrace::agent {
namespace {

/// After so many attempts an event that the server cannot take now waits beside the others of its
/// index, so that it does not hold up a request of other indices.
constexpr unsigned kAttemptsInLine = 6;
/// So many single events refused, and none ever taken: the set-up is wrong.
constexpr std::size_t kSuspects = 8;
constexpr std::size_t kSmallestBody = 64 * 1024;
constexpr std::chrono::seconds kLongestRetryAfter{300};

std::string_view ActionName(const ElasticsearchConfig& c) {
  return c.mode == ElasticsearchConfig::Mode::kDataStream ||
                 c.bulk.action == ElasticsearchConfig::Action::kCreate
             ? "create"
             : "index";
}

}  // namespace

Shipping::Shipping(const ElasticsearchConfig& c, const Context& context)
    : config(c),
      id(context.id),
      metrics(context.metrics),
      cluster(c, context.id, *context.metrics),
      targets(ActionName(c), c.request.retry_initial_backoff, c.request.retry_max_backoff,
              context.id, *context.metrics),
      dead_letters(c.dead_letter, context),
      encoding(c.compression),
      body_limit_(c.batch.max_bytes.value),
      concurrency_(c.request.concurrency) {
  const auto result = [&](std::string_view name) {
    return metrics->GetCounter("elasticsearch_items_total",
                               "Items of bulk replies by what became of them.", {{"result", name}});
  };
  stored = result("stored");
  duplicates = result("duplicate");
  redirected = result("failure_store");
  retried = result("retried");
  latency =
      metrics->GetHistogram("request_duration_seconds", "Time to the whole reply.",
                            {0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60});
  batch_events = metrics->GetHistogram("batch_events", "Events of a request.",
                                       {1, 10, 50, 100, 250, 500, 1000, 2000, 5000, 10000});
  batch_bytes = metrics->GetHistogram("batch_bytes", "Bytes of a request before compression.",
                                      {1e3, 1e4, 1e5, 2.5e5, 5e5, 1e6, 2.5e6, 5e6, 1e7, 2.5e7});
  blocked_gauge = metrics->GetGauge("sink_blocked",
                                    "1 while the target refuses all requests until somebody acts.");
  last_ack = metrics->GetGauge("sink_last_delivery_timestamp_seconds",
                               "When the target last took events.");
}

void Shipping::LearnTooLarge(std::size_t plain) {
  body_limit_ = std::max(kSmallestBody, std::min<std::size_t>(body_limit_, plain) / 2);
  metrics->Errors("request_too_large").Add();
  static log::Limit limit(std::chrono::seconds(60));
  if (limit.Pass())
    log::Warn("Server refuses requests of this size; they are made smaller",
              {{"component_id", id}, {"bytes", plain}, {"now_at_most", body_limit_.load()}});
}

void Shipping::LearnFits() {
  const unsigned n = ++successes_;
  // Grow back slowly: what was too large may have been one document.
  if (n % 256 == 0)
    body_limit_ = std::min<std::size_t>(config.batch.max_bytes.value, body_limit_ * 2);
  const unsigned now = concurrency_;
  if (now < config.request.concurrency && n % (8 * now) == 0) concurrency_ = now + 1;
}

void Shipping::GiveUpZstd(const std::string& why) {
  Compression expected = Compression::kZstd;
  if (encoding.compare_exchange_strong(expected, Compression::kGzip))
    log::Warn("Server does not take zstd; requests are compressed with gzip from now on",
              {{"component_id", id}, {"reason", why}});
}

void Shipping::LearnOverload() {
  const std::lock_guard lock(mu_);
  const auto now = std::chrono::steady_clock::now();
  // One overload is told by every request under way.
  if (now - last_overload_ < std::chrono::milliseconds(500)) return;
  last_overload_ = now;
  concurrency_ = std::max(1U, concurrency_ / 2);
}

void Shipping::Blocked(std::string_view why, const std::string& error) {
  const std::lock_guard lock(mu_);
  blocked_gauge.Set(1);
  const bool pass = blocked_limit_.Pass();
  if (blocked_ == why && !pass) return;
  blocked_ = why;
  log::Error("Search server refuses the requests; events wait until somebody acts",
             {{"component_id", id}, {"reason", why}, {"error", error}});
}

void Shipping::NotBlocked() {
  worked = true;
  const std::lock_guard lock(mu_);
  if (blocked_.empty()) return;
  blocked_.clear();
  blocked_gauge.Set(0);
  log::Info("Search server takes requests again", {{"component_id", id}});
}

Courier::Courier(Shipping& shipping)
    : s_(shipping),
      link_(shipping.cluster),
      encoder_(shipping.config),
      backoff_(shipping.config.request.retry_initial_backoff,
               shipping.config.request.retry_max_backoff) {}

void Courier::Make(const std::vector<Item>& items, Batch& batch) {
  plain_.clear();
  for (const Item& item : items) encoder_.Append(item, plain_);
  batch.plain = plain_.size();
  batch.encoding = s_.encoding;
  batch.wire.clear();
  if (compressor_kind_ != batch.encoding) {
    compressor_ = MakeCompressor(batch.encoding, s_.config.compression_level);
    compressor_kind_ = batch.encoding;
  }
  if (compressor_ != nullptr)
    compressor_->Compress(plain_.view(), batch.wire);
  else
    std::swap(plain_, batch.wire);
  plain_.ShrinkTo(std::size_t{1} << 20);
}

bool Courier::Wait(const std::stop_token& stop) {
  std::chrono::milliseconds wait = backoff_.Next();
  if (const auto asked = ParseNumber<unsigned>(response_.header("retry-after")))
    wait = std::max<std::chrono::milliseconds>(
        wait, std::min<std::chrono::seconds>(std::chrono::seconds(*asked), kLongestRetryAfter));
  return SleepFor(stop, wait);
}

void Courier::Join(std::vector<Piece>& todo, std::vector<Item>& suspects) {
  Piece all{std::exchange(suspects, {}), 0, true};
  for (Piece& piece : todo)
    all.items.insert(all.items.end(), piece.items.begin(), piece.items.end());
  todo.clear();
  todo.push_back(std::move(all));
}

void Courier::ParkAll(const std::vector<Item>& items) {
  for (std::size_t i = 0; i < items.size();) {
    Target& target = *items[i].target;
    std::vector<Item> of_one;
    for (; i < items.size() && items[i].target == &target; ++i) of_one.push_back(items[i]);
    s_.targets.Park(target, of_one, "server_error", "the server failed several times in a row");
  }
}

void Courier::Deliver(Batch& batch, const std::stop_token& stop) {
  std::vector<Piece> todo;
  todo.push_back({std::exchange(batch.items, {}), 0, false});
  std::vector<Item> suspects;  // refused alone, while nothing was ever taken
  bool made = true;
  backoff_.Reset();
  while (!todo.empty()) {
    Piece piece = std::move(todo.back());
    todo.pop_back();
    if (!std::exchange(made, false)) Make(piece.items, batch);
    switch (Send(batch, piece, stop)) {
      case Answer::kStopped:
        return;
      case Answer::kAgain:
        todo.push_back(std::move(piece));
        break;
      case Answer::kHalve: {
        const auto middle =
            piece.items.begin() + static_cast<std::ptrdiff_t>(piece.items.size() / 2);
        todo.push_back({{middle, piece.items.end()}, 0, true});
        todo.push_back({{piece.items.begin(), middle}, 0, true});
        break;
      }
      case Answer::kSuspect:
        suspects.push_back(piece.items.front());
        if (suspects.size() < kSuspects && !todo.empty()) break;
        if (!s_.worked && !Wait(stop)) return;
        break;
      case Answer::kItems:
        if (piece.items.empty()) {
          backoff_.Reset();
          break;
        }
        s_.retried.Add(static_cast<double>(piece.items.size()));
        if (++piece.attempts >= kAttemptsInLine) {
          ParkAll(piece.items);
          break;
        }
        if (!Wait(stop)) return;
        todo.push_back(std::move(piece));
        break;
    }
    if (suspects.size() >= kSuspects || (todo.empty() && !suspects.empty())) Join(todo, suspects);
  }
}

Courier::Answer Courier::Send(Batch& batch, Piece& piece, const std::stop_token& stop) {
  if (batch.encoding == Compression::kZstd) {
    if (!s_.worked) link_.Greet(stop);
    if (!s_.cluster.TakesZstd()) s_.GiveUpZstd("known from its version");
    // Compressed before another courier found out.
    if (s_.encoding != Compression::kZstd) return Answer::kAgain;
  }
  const auto sent = link_.Bulk(batch.wire.view(), batch.encoding, response_, stop);
  if (!sent) {
    if (sent.error().kind == http::Failure::Kind::kCancelled) return Answer::kStopped;
    s_.Blocked("no_client", sent.error().message);
    return Wait(stop) ? Answer::kAgain : Answer::kStopped;
  }
  s_.latency.Observe(std::chrono::duration<double>(response_.took).count());
  s_.metrics
      ->GetCounter("requests_total", "Requests by status.",
                   {{"status", std::to_string(response_.status)}})
      .Add();
  if (response_.status < 200 || response_.status > 299) return Refused(batch, piece, stop);
  if (const Status parsed = ParseBulkReply(response_.body, piece.items.size(), results_); !parsed) {
    // Nothing in it can be believed. Sending again is safe: what was stored answers 409.
    s_.metrics->Errors("reply_unreadable").Add();
    static log::Limit limit;
    if (limit.Pass())
      log::Warn(
          "Search server's reply cannot be read; the request is repeated",
          {{"component_id", s_.id}, {"error", parsed.error()}, {"suppressed", limit.suppressed()}});
    return Wait(stop) ? Answer::kAgain : Answer::kStopped;
  }
  s_.NotBlocked();
  s_.LearnFits();
  s_.batch_events.Observe(static_cast<double>(piece.items.size()));
  s_.batch_bytes.Observe(static_cast<double>(batch.plain));
  s_.metrics->sent_bytes.Add(static_cast<double>(batch.wire.size()));
  Settle(piece, stop);
  return stop.stop_requested() && !piece.items.empty() ? Answer::kStopped : Answer::kItems;
}

Courier::Answer Courier::Refused(Batch& batch, Piece& piece, const std::stop_token& stop) {
  const int status = response_.status;
  const std::string error = ErrorOfReply(response_.body);
  const std::string said = std::to_string(status) + " " + error;
  // Elasticsearch takes a zstd body for plain text without a line feed at its end.
  const bool zstd =
      batch.encoding == Compression::kZstd && (!s_.worked || s_.encoding != Compression::kZstd);
  if (zstd && (status == 400 || status == 415)) {
    s_.GiveUpZstd(said);
    return Answer::kAgain;
  }
  switch (JudgeWhole(status)) {
    case WholeVerdict::kTooLarge:
      if (piece.items.size() > 1) {
        if (!piece.part) s_.LearnTooLarge(batch.plain);
        return Answer::kHalve;
      }
      Bury(piece.items, "too_large", status,
           "413: one document of " + std::to_string(batch.plain) +
               " bytes is more than the server takes",
           stop);
      return stop.stop_requested() ? Answer::kStopped : (piece.items.clear(), Answer::kItems);
    case WholeVerdict::kBadRequest:
      s_.metrics->Errors("bad_request").Add();
      if (piece.items.size() > 1) return Answer::kHalve;
      // As long as nothing was ever taken it may be the set-up that is wrong, not an event.
      if (!s_.worked) {
        s_.Blocked("bad_request", said);
        return Answer::kSuspect;
      }
      Bury(piece.items, "bad_request", status, said, stop);
      return stop.stop_requested() ? Answer::kStopped : (piece.items.clear(), Answer::kItems);
    case WholeVerdict::kRetry: {
      s_.metrics->Errors(status == 429 ? "overload" : "server_error").Add();
      if (status == 429) s_.LearnOverload();
      static log::Limit limit;
      if (limit.Pass())
        log::Warn("Search server cannot take a request now; it is repeated",
                  {{"component_id", s_.id}, {"error", said}, {"suppressed", limit.suppressed()}});
      break;
    }
    case WholeVerdict::kOperational:
      s_.metrics->Errors(status == 401 || status == 403 ? "forbidden" : "refused").Add();
      s_.Blocked(status == 401 ? "unauthorized" : status == 403 ? "forbidden" : "refused", said);
      break;
  }
  return Wait(stop) ? Answer::kAgain : Answer::kStopped;
}

void Courier::Settle(Piece& piece, const std::stop_token& stop) {
  const bool create = ActionName(s_.config) == "create";
  std::vector<Item> again;
  std::vector<std::pair<Item, std::size_t>> refused, operational;  // with their place in results_
  double stored = 0, duplicates = 0, redirected = 0;
  bool overload = false;
  for (std::size_t i = 0; i < piece.items.size(); ++i) {
    const Item& item = piece.items[i];
    const Judgement j = JudgeItem(results_[i], create);
    switch (j.verdict) {
      case Verdict::kStored:
        ++stored;
        break;
      case Verdict::kDuplicate:
        ++duplicates;
        break;
      case Verdict::kRedirected:
        ++redirected;
        break;
      case Verdict::kRetry:
        overload = overload || j.overload;
        again.push_back(item);
        continue;
      case Verdict::kOperational:
        operational.emplace_back(item, i);
        continue;
      case Verdict::kRefused:
        refused.emplace_back(item, i);
        continue;
    }
    if (item.target->paused) s_.targets.Resume(*item.target);
    item.held->Settle();
  }
  s_.stored.Add(stored);
  if (duplicates > 0) s_.duplicates.Add(duplicates);
  if (redirected > 0) s_.redirected.Add(redirected);
  s_.metrics->sent_events.Add(stored + duplicates + redirected);
  if (stored + duplicates + redirected > 0)
    s_.last_ack.Set(
        std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count());
  if (overload) {
    s_.metrics->Errors("overload").Add();
    s_.LearnOverload();
  }

  for (std::size_t i = 0; i < operational.size();) {
    Target& target = *operational[i].first.target;
    const BulkItem& why = results_[operational[i].second];
    std::vector<Item> of_one;
    for (; i < operational.size() && operational[i].first.target == &target; ++i)
      of_one.push_back(operational[i].first);
    s_.metrics->Errors(JudgeItem(why, create).reason).Add();
    s_.targets.Park(target, of_one, JudgeItem(why, create).reason, why.type + ": " + why.reason);
  }

  if (!refused.empty()) {
    DeadLetters::Batch letters = s_.dead_letters.Start();
    Buffer id;
    for (const auto& [item, i] : refused) {
      const BulkItem& why = results_[i];
      const std::string response = why.type + ": " + why.reason;
      id.clear();
      encoder_.AppendId(item, id);
      letters.Add(
          item.held->batch(), item.get(),
          {JudgeItem(why, create).reason, why.status, item.target->name, response, id.view()});
    }
    const BulkItem& sample = results_[refused.front().second];
    static log::Limit limit;
    if (limit.Pass())
      log::Warn("Server refuses events for good; they are in the dead-letter file",
                {{"component_id", s_.id},
                 {"events", refused.size()},
                 {"index", refused.front().first.target->name},
                 {"error", sample.type + ": " + sample.reason},
                 {"file", s_.dead_letters.path()},
                 {"suppressed", limit.suppressed()}});
    if (Bury(letters, stop)) {
      for (const auto& [item, i] : refused) {
        s_.metrics->Discarded(JudgeItem(results_[i], create).reason, false).Add();
        if (item.target->paused) s_.targets.Resume(*item.target);
        item.held->Settle();
      }
    }
  }
  piece.items = std::move(again);
}

void Courier::Bury(const std::vector<Item>& items, std::string_view reason, int code,
                   const std::string& response, const std::stop_token& stop) {
  DeadLetters::Batch letters = s_.dead_letters.Start();
  Buffer id;
  for (const Item& item : items) {
    id.clear();
    encoder_.AppendId(item, id);
    letters.Add(item.held->batch(), item.get(),
                {reason, code, item.target->name, response, id.view()});
  }
  if (!Bury(letters, stop)) return;
  s_.metrics->Discarded(reason, false).Add(static_cast<double>(items.size()));
  for (const Item& item : items) item.held->Settle();
}

bool Courier::Bury(DeadLetters::Batch& letters, const std::stop_token& stop) {
  Backoff backoff(std::chrono::milliseconds(200), std::chrono::seconds(10));
  for (;;) {
    const Status s = s_.dead_letters.Commit(letters);
    if (s) {
      if (backoff.failures() > 0)
        log::Info("Dead letters can be written again", {{"component_id", s_.id}});
      return true;
    }
    s_.metrics->Errors("dead_letter_failed").Add();
    if (backoff.failures() == 0)
      log::Error("Dead letters cannot be written; the sink waits",
                 {{"component_id", s_.id}, {"error", s.error()}});
    if (!SleepFor(stop, backoff.Next())) return false;
  }
}

}  // namespace millrace::agent
