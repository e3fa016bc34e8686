#pragma once
// A file source with a directory to read from and an output under the test's control.
#include <atomic>
#include <condition_variable>
#include <deque>
#include <fstream>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "agent/core/name.h"
#include "agent/sources/file/config.h"
#include "tests/support/catch.h"
#include "tests/support/temp_dir.h"

namespace millrace::agent::test {

using millrace::test::TempDir;

inline bool Eventually(const std::function<bool()>& done,
                       std::chrono::seconds limit = std::chrono::seconds(40)) {
  const auto deadline = std::chrono::steady_clock::now() + limit;
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

struct Got {
  std::string text, file, id;
  std::uint64_t position = 0;
  bool truncated = false;
};

/// Takes batches; acknowledges at once, later, or never.
class FakeOutput final : public Output {
 public:
  enum class Mode { kAcknowledge, kHold, kBlock };

  Status Send(std::unique_ptr<EventBatch> batch) override {
    std::unique_lock lock(mu_);
    ++sends_;
    while (mode_ == Mode::kBlock && !stopped_) wake_.wait_for(lock, std::chrono::milliseconds(5));
    if (stopped_) return Fail(ErrorCode::kCancelled, "stopped");
    for (const Event& e : batch->events()) {
      Got got;
      got.text = batch->Find(e, "message")->text();
      if (const Field* f = batch->Find(e, "file")) got.file = f->text();
      got.id = ToHex(batch->IdOf(e));
      got.position = e.position;
      got.truncated = batch->Find(e, "_truncated") != nullptr;
      got_.push_back(std::move(got));
    }
    largest_ = std::max(largest_, batch->Footprint());
    if (mode_ == Mode::kAcknowledge)
      batch->Routed();
    else
      held_.push_back(std::move(batch));
    return {};
  }
  void SetMode(Mode mode) {
    const std::lock_guard lock(mu_);
    mode_ = mode;
  }
  /// Acknowledges what is held: all, or the first `n`.
  void Release(std::size_t n = SIZE_MAX) {
    std::deque<std::unique_ptr<EventBatch>> out;
    {
      const std::lock_guard lock(mu_);
      for (; n > 0 && !held_.empty(); --n) {
        out.push_back(std::move(held_.front()));
        held_.pop_front();
      }
    }
    for (auto& batch : out) batch->Routed();
  }
  void DropHeld() {
    const std::lock_guard lock(mu_);
    held_.clear();
  }
  void Stop() {
    const std::lock_guard lock(mu_);
    stopped_ = true;
  }
  [[nodiscard]] std::size_t size() {
    const std::lock_guard lock(mu_);
    return got_.size();
  }
  [[nodiscard]] std::size_t sends() {
    const std::lock_guard lock(mu_);
    return sends_;
  }
  [[nodiscard]] std::size_t largest() {
    const std::lock_guard lock(mu_);
    return largest_;
  }
  [[nodiscard]] std::vector<Got> all() {
    const std::lock_guard lock(mu_);
    return got_;
  }
  [[nodiscard]] std::vector<std::string> texts() {
    std::vector<std::string> out;
    for (Got& g : all()) out.push_back(std::move(g.text));
    return out;
  }

 private:
  std::mutex mu_;
  std::condition_variable wake_;
  Mode mode_ = Mode::kAcknowledge;
  bool stopped_ = false;
  std::vector<Got> got_;
  std::deque<std::unique_ptr<EventBatch>> held_;
  std::size_t largest_ = 0, sends_ = 0;
};

/// One life of a source, from start to Stop().
class Running {
 public:
  Running(const FileConfig& config, const std::string& data_dir,
          FakeOutput::Mode mode = FakeOutput::Mode::kAcknowledge)
      : metrics_(std::make_shared<Metrics>(registry_, "t", "source", "file")) {
    output_.SetMode(mode);
    Context context;
    context.id = "t";
    context.data_dir = data_dir;
    context.metrics = metrics_;
    context.host = "box";
    auto made = MakeFileSource(config, context);
    if (!made) FAIL(made.error().message);
    source_ = std::move(*made);
    thread_ = std::jthread(
        [this](const std::stop_token& stop) { status_ = source_->Run(stop, output_); });
  }
  ~Running() { Stop(); }
  /// As at a graceful end: everything held is left undelivered.
  void Stop() {
    if (!thread_.joinable()) return;
    output_.Stop();
    thread_.request_stop();
    thread_.join();
    output_.DropHeld();
    source_->Close();
    source_.reset();
  }
  [[nodiscard]] FakeOutput& out() { return output_; }
  [[nodiscard]] const Status& status() const { return status_; }
  /// Sum over all series of that name.
  [[nodiscard]] double metric(std::string_view name) {
    double sum = 0;
    for (const auto& s : registry_.Samples())
      if (s.name == "millrace_" + std::string(name)) sum += s.value;
    return sum;
  }
  bool Wait(std::size_t lines) {
    return Eventually([&] { return output_.size() >= lines; });
  }

 private:
  MetricsRegistry registry_;
  std::shared_ptr<Metrics> metrics_;
  FakeOutput output_;
  std::unique_ptr<Source> source_;
  Status status_;
  std::jthread thread_;
};

/// A directory of logs and one for checkpoints.
class Logs {
 public:
  Logs() {
    std::filesystem::create_directory(dir_.path() + "/logs");
    config.include = {path("app.log")};
  }
  [[nodiscard]] std::string path(const std::string& name) const {
    return dir_.path() + "/logs/" + name;
  }
  [[nodiscard]] std::string data() const { return dir_.path() + "/data"; }
  void Append(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::app) << text;
  }
  /// Lines "<prefix><from>" .. "<prefix><to - 1>".
  void Lines(const std::string& name, int from, int to, const std::string& prefix = "line ") const {
    std::string text;
    for (int i = from; i < to; ++i) text += prefix + std::to_string(i) + "\n";
    Append(name, text);
  }
  void Rename(const std::string& from, const std::string& to) const {
    std::filesystem::rename(path(from), path(to));
  }
  void Copy(const std::string& from, const std::string& to) const {
    std::filesystem::copy_file(path(from), path(to),
                               std::filesystem::copy_options::overwrite_existing);
  }
  void Truncate(const std::string& name) const { std::filesystem::resize_file(path(name), 0); }
  void Remove(const std::string& name) const { std::filesystem::remove(path(name)); }
  void Run(const std::string& command) const {
    REQUIRE(std::system(("cd '" + dir_.path() + "/logs' && " + command).c_str()) == 0);
  }
  /// "line <from>" .. in order, nothing else.
  [[nodiscard]] static std::vector<std::string> Want(int from, int to,
                                                     const std::string& prefix = "line ") {
    std::vector<std::string> out;
    for (int i = from; i < to; ++i) out.push_back(prefix + std::to_string(i));
    return out;
  }

  FileConfig config;

 private:
  TempDir dir_;
};

}  // namespace millrace::agent::test
