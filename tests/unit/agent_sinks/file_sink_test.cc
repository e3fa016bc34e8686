#include "agent/sinks/file/file_sink.h"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <sstream>
#include <thread>

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/sinks/file/output_file.h"
#include "agent/sinks/support/repair.h"
#include "tests/support/catch.h"
#include "tests/support/sink_input.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/agent_sinks/decompress.h"

namespace millrace::agent {
namespace {

namespace fs = std::filesystem;
using test::TempDir;
using testing::FakeInput;
using testing::Ledger;
using testing::Messages;
using testing::Seal;

std::string Slurp(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::stringstream s;
  s << in.rdbuf();
  return s.str();
}

void Spit(const std::string& path, std::string_view bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

FileSinkConfig TextConfig(std::string path) {
  FileSinkConfig c;
  c.path = std::move(path);
  c.encoding.codec = Codec::kText;
  return c;
}

struct Harness {
  explicit Harness(const FileSinkConfig& config) {
    fs::create_directories(dir / "data");
    auto made = MakeFileSink(config, testing::MakeContext(registry, dir / "data"));
    REQUIRE(made);
    sink = std::move(*made);
    thread = std::jthread([this](const std::stop_token& stop) { status = sink->Run(in, stop); });
  }
  ~Harness() { Finish(); }
  void Finish() {
    in.Close();
    if (thread.joinable()) thread.join();
  }
  static bool Until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!done()) {
      if (std::chrono::steady_clock::now() > deadline) return false;
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return true;
  }
  TempDir dir;
  MetricsRegistry registry;
  FakeInput in;
  Ledger ledger;
  std::unique_ptr<Sink> sink;
  Status status;
  std::jthread thread;
};

TEST_CASE("lines arrive while the input is quiet, and are acknowledged when they are in the file") {
  const TempDir out;
  for (const auto fsync : {FileSinkConfig::Fsync::kNever, FileSinkConfig::Fsync::kBatch,
                           FileSinkConfig::Fsync::kInterval}) {
    FileSinkConfig config =
        TextConfig(out / "a" + std::to_string(static_cast<int>(fsync)) + "/x.log");
    config.fsync = fsync;
    config.fsync_interval = {std::chrono::milliseconds(10)};
    Harness h(config);
    h.in.Push(Seal(Messages({"one", "two"}), &h.ledger));
    REQUIRE(Harness::Until([&] { return h.ledger.delivered() == 1; }));
    CHECK(Slurp(config.path) == "one\ntwo\n");
    h.in.Push(Seal(Messages({"three"}), &h.ledger));
    h.Finish();
    CHECK(h.status);
    CHECK(Slurp(config.path) == "one\ntwo\nthree\n");
    CHECK(h.ledger.delivered() == 2);
  }
}

TEST_CASE("the path follows fields and time, confined, and the fallback stands in") {
  const TempDir out;
  Harness h(TextConfig(out / "logs/{{ app }}/%Y-%m-%d.log"));
  auto batch = Messages({"a", "b", "c"});
  batch->Set(0, Field::String("app", "shop"));
  batch->Set(1, Field::String("app", "../../etc"));
  h.in.Push(Seal(std::move(batch), &h.ledger));
  h.Finish();
  CHECK(Slurp(out / "logs/shop/2025-11-22.log") == "a\n");
  CHECK(Slurp(out / "logs/_._.._etc/2025-11-22.log") == "b\n");
  CHECK(Slurp(out / "logs/unknown/2025-11-22.log") == "c\n");
  CHECK(h.ledger.delivered() == 1);
}

TEST_CASE("few open files are enough for many paths") {
  const TempDir out;
  FileSinkConfig config = TextConfig(out / "l/{{ k }}.zst");
  config.compression = Compression::kZstd;
  config.max_open_files = 3;
  Harness h(config);
  auto batch = Messages(std::vector<std::string>(100, "x"));
  for (std::size_t i = 0; i < 100; ++i) batch->Set(i, Field::Int("k", static_cast<int>(i % 10)));
  h.in.Push(Seal(std::move(batch), &h.ledger));
  h.Finish();
  for (int k = 0; k < 10; ++k) {
    std::string want;
    for (int i = 0; i < 10; ++i) want += "x\n";
    CHECK(testing::Unzstd(Slurp(out / ("l/" + std::to_string(k) + ".zst"))) == want);
  }
}

TEST_CASE("a growing compressed file can be read, and the finished one is whole") {
  const TempDir out;
  for (const Compression kind : {Compression::kGzip, Compression::kZstd}) {
    FileSinkConfig config = TextConfig(out / ("x" + std::to_string(static_cast<int>(kind))));
    config.compression = kind;
    Harness h(config);
    h.in.Push(Seal(Messages({"one"}), &h.ledger));
    REQUIRE(Harness::Until([&] { return h.ledger.delivered() == 1; }));
    CHECK(testing::Decompress(kind, Slurp(config.path)) == "one\n");
    h.in.Push(Seal(Messages({"two"}), &h.ledger));
    h.Finish();
    CHECK(testing::Decompress(kind, Slurp(config.path)) == "one\ntwo\n");
    Harness again(config);
    again.in.Push(Seal(Messages({"three"}), &h.ledger));
    again.Finish();
    CHECK(testing::Decompress(kind, Slurp(config.path)) == "one\ntwo\nthree\n");
  }
}

TEST_CASE("size rotates, old files go, names keep the order") {
  const TempDir out;
  FileSinkConfig config = TextConfig(out / "r.log");
  config.rotate.max_bytes = {10};
  config.rotate.keep = 3;
  Harness h(config);
  for (int i = 0; i < 8; ++i) {
    h.in.Push(Seal(Messages({"line number " + std::to_string(i)}), &h.ledger));
    REQUIRE(Harness::Until([&] { return h.ledger.delivered() == i + 1; }));
  }
  h.Finish();
  std::vector<std::string> names;
  for (const auto& e : fs::directory_iterator(out.path())) names.push_back(e.path().filename());
  std::sort(names.begin(), names.end());
  REQUIRE(names.size() == 4);
  CHECK(Slurp(out / names[0]) == "line number 7\n");
  CHECK(names[0] == "r.log");
  CHECK(Slurp(out / names[1]) == "line number 4\n");
  CHECK(Slurp(out / names[3]) == "line number 6\n");
}

TEST_CASE("a file of an earlier period is rotated before it is written to") {
  const TempDir out;
  FileSinkConfig config = TextConfig(out / "r.log");
  Spit(config.path, "old\n");
  const timespec times[2] = {{1'000'000, 0}, {1'000'000, 0}};
  REQUIRE(::utimensat(AT_FDCWD, config.path.c_str(), times, 0) == 0);
  config.rotate.interval = {std::chrono::hours(1)};
  Harness h(config);
  h.in.Push(Seal(Messages({"new"}), &h.ledger));
  REQUIRE(Harness::Until([&] { return h.ledger.delivered() == 1; }));
  h.in.Push(Seal(Messages({"new"}), &h.ledger));
  h.Finish();
  CHECK(Slurp(config.path) == "new\nnew\n");
  CHECK(std::distance(fs::directory_iterator(out.path()), fs::directory_iterator()) == 2);
}

TEST_CASE("rotated names keep the compression's suffix") {
  const auto t = std::chrono::system_clock::from_time_t(1'763'812'800);
  CHECK(RotatedName("/none/a.log", t) == "/none/a.log.20251122T120000Z");
  CHECK(RotatedName("/none/a.log.zst", t) == "/none/a.log.20251122T120000Z.zst");
}

TEST_CASE("a full disk pauses the sink, nothing is acknowledged or torn, and then it goes on") {
  const TempDir out;
  const FileSinkConfig config = TextConfig(out / "full.log");
  // A limit on file size fails a write in its middle as a full disk does.
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1000, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  Harness h(config);
  std::string want;
  std::vector<std::string> lines;
  for (int i = 0; i < 100; ++i) {
    lines.push_back("some line " + std::to_string(i));
    want += lines.back() + "\n";
  }
  h.in.Push(Seal(Messages(lines), &h.ledger));
  CHECK(Harness::Until(
      [&] { return fs::exists(config.path) && fs::file_size(config.path) == 1000; }));
  CHECK(h.ledger.delivered() == 0);
  ::setrlimit(RLIMIT_FSIZE, &old);
  CHECK(Harness::Until([&] { return h.ledger.delivered() == 1; }));
  h.Finish();
  CHECK(Slurp(config.path) == want);
  CHECK(h.ledger.lost() == 0);
}

TEST_CASE("a stop while the disk is full leaves the events unacknowledged") {
  const TempDir out;
  Harness h(TextConfig(out / "sub/x.log"));
  Spit(out / "sub", "a file where the folder should be");
  h.in.Push(Seal(Messages({"x"}), &h.ledger));
  h.thread.request_stop();
  h.in.Push(Seal(Messages({"y"}), &h.ledger));
  h.Finish();
  h.sink.reset();
  CHECK(h.ledger.delivered() == 0);
}

// --- what a kill leaves ---

std::string RepairedPlain(const TempDir& dir, std::string_view text, bool ours) {
  Spit(dir / "t", text);
  const Fd fd(::open((dir / "t").c_str(), O_RDWR | O_APPEND));
  REQUIRE(RepairTail(fd.get(), Compression::kNone, ours));
  return Slurp(dir / "t");
}

TEST_CASE("a torn line is cut off our own file, and ended in somebody else's") {
  const TempDir dir;
  CHECK(RepairedPlain(dir, "one\ntw", true) == "one\n");
  CHECK(RepairedPlain(dir, "one\ntw", false) == "one\ntw\n");
  CHECK(RepairedPlain(dir, "one\n", true) == "one\n");
  CHECK(RepairedPlain(dir, "torn", true).empty());
  CHECK(RepairedPlain(dir, "", true).empty());
  const std::string big(10'000, 'x');
  CHECK(RepairedPlain(dir, "one\n" + big, true) == "one\n");
}

TEST_CASE("only a file that this sink had open counts as its own") {
  const TempDir dir;
  fs::create_directories(dir / "data");
  Spit(dir / "a", "");
  struct stat st{};
  ::stat((dir / "a").c_str(), &st);
  OwnedFiles first(dir / "data");
  CHECK_FALSE(first.Contains({st.st_dev, st.st_ino}));
  REQUIRE(first.Add({st.st_dev, st.st_ino}));
  const OwnedFiles second(dir / "data");  // as after a kill
  CHECK(second.Contains({st.st_dev, st.st_ino}));
}

TEST_CASE("a compressed file torn at any byte keeps every acknowledged line and can be continued") {
  const TempDir dir;
  for (const Compression kind : {Compression::kZstd, Compression::kGzip}) {
    // Two finished frames, then three flushes of an open one.
    const auto c = MakeStreamCompressor(kind, 0, 17);
    Buffer wire;
    std::vector<std::pair<std::size_t, std::string>> acked = {{0, ""}};
    std::string text;
    const auto flush = [&](std::string_view lines, bool end) {
      text += lines;
      c->Write(lines, wire);
      end ? c->End(wire) : c->Flush(wire);
      acked.emplace_back(wire.size(), text);
    };
    flush("first frame\n", true);
    flush("second frame, one\nsecond frame, two\n", false);
    flush("", true);
    flush("third: a\n", false);
    flush("third: b\nthird: c\n", false);
    flush("third: d\n", false);
    for (std::size_t cut = 0; cut <= wire.size(); ++cut) {
      INFO(static_cast<int>(kind) << " cut at " << cut << " of " << wire.size());
      Spit(dir / "t", wire.view().substr(0, cut));
      const Fd fd(::open((dir / "t").c_str(), O_RDWR | O_APPEND));
      const auto repair = RepairTail(fd.get(), kind, true);
      REQUIRE(repair);
      if (repair->foreign) {
        // Too short to be told from anything else; nothing can have been acknowledged.
        CHECK(cut < 18);
        continue;
      }
      std::string must;
      for (const auto& [size, lines] : acked)
        if (size <= cut) must = lines;
      const auto more = MakeStreamCompressor(kind);
      Buffer tail;
      more->Write("after\n", tail);
      more->End(tail);
      REQUIRE(WriteAll(fd.get(), tail.view()));
      const std::string got = testing::Decompress(kind, Slurp(dir / "t"));
      REQUIRE(got.starts_with(must));
      REQUIRE(got.ends_with("\nafter\n") == !must.empty());
      REQUIRE(text.starts_with(got.substr(0, got.size() - 6)));
    }
  }
}

TEST_CASE("a file of another format is moved aside, not damaged") {
  const TempDir dir;
  fs::create_directories(dir / "data");
  Spit(dir / "x.zst", "plain text that somebody keeps here\n");
  OwnedFiles owned(dir / "data");
  OutputFileOptions options;
  options.compression = Compression::kZstd;
  auto file = OutputFile::Open(dir / "x.zst", options, owned);
  REQUIRE(file);
  (*file)->pending().Append("line\n");
  std::uint64_t written = 0;
  REQUIRE((*file)->Finish(written));
  CHECK(testing::Unzstd(Slurp(dir / "x.zst")) == "line\n");
  int kept = 0;
  for (const auto& e : fs::directory_iterator(dir.path()))
    if (e.is_regular_file() && Slurp(e.path()) == "plain text that somebody keeps here\n") ++kept;
  CHECK(kept == 1);
}

}  // namespace
}  // namespace millrace::agent
