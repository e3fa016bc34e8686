#include "agent/decode/framing/framing.h"

#include <random>

#include "tests/support/catch.h"

namespace millrace::agent {
namespace {

struct Line {
  std::uint64_t position;
  std::string text;
  std::int64_t original = -1;  ///< _original_bytes
  friend bool operator==(const Line&, const Line&) = default;
};
std::ostream& operator<<(std::ostream& out, const Line& l) {
  return out << l.position << ':' << l.text.substr(0, 60) << '/' << l.text.size() << '/'
             << l.original;
}

std::string_view Last(std::string_view s) {
  return s.substr(s.size() - std::min(s.size(), LineFramer::kRecent));
}

/// Feeds `text` in pieces of at most `piece` bytes.
std::vector<Line> Run(const FramingOptions& options, std::string_view text, std::size_t piece,
                      bool finish = true, LineFramer::Stats* stats = nullptr) {
  LineFramer framer(options, 0);
  std::vector<Line> out;
  const auto take = [&](const EventBatch& batch) {
    CHECK(batch.size() <= options.max_events);
    for (const Event& e : batch.events()) {
      Line line{e.position, std::string(batch.Find(e, "message")->text())};
      if (const Field* f = batch.Find(e, "_original_bytes")) {
        line.original = f->i64;
        CHECK(batch.Find(e, "_truncated")->i64 == 1);
      }
      out.push_back(std::move(line));
    }
  };
  std::uint64_t bytes = 0;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    const std::string_view part = text.substr(at, piece);
    const std::span<char> room = framer.Prepare(part.size() + 5);
    std::copy(part.begin(), part.end(), room.begin());
    framer.Commit(part.size());
    for (bool more = true; more;) {
      EventBatch batch;
      more = framer.Cut(batch, 1);
      bytes += batch.bytes;
      take(batch);
    }
    CHECK(framer.position() == at + part.size());
    CHECK(framer.line_start() <= framer.position());
    CHECK(bytes == framer.line_start());
    CHECK(framer.before() == Last(text.substr(0, framer.line_start())));
    CHECK(framer.Recent() == Last(text.substr(0, framer.position())));
  }
  if (finish) {
    EventBatch batch;
    framer.Finish(batch, 1);
    take(batch);
    CHECK(framer.line_start() == text.size());
    CHECK(framer.before() == Last(text));
  }
  if (stats != nullptr) *stats = framer.TakeStats();
  return out;
}

TEST_CASE("lines are the same however the bytes arrive") {
  const FramingOptions options;
  const std::string text = "\xef\xbb\xbfone\ntwo\r\n\n\r\nfive \r six\nlast";
  const std::vector<Line> want = {{0, "one"}, {7, "two"},          {12, ""},
                                  {13, ""},   {15, "five \r six"}, {26, "last"}};
  for (std::size_t piece = 1; piece <= text.size(); ++piece) {
    INFO("piece " << piece);
    CHECK(Run(options, text, piece) == want);
  }
  CHECK(Run(options, text, 7, false).size() == 5);
}

TEST_CASE("a line that is too long is cut, or dropped, and its neighbours arrive") {
  FramingOptions options;
  options.max_line_bytes = 10;
  const std::string text =
      "before\n" + std::string(1000, 'x') + "\r\n1234567890\r\n12345678901\nafter\n";
  const std::vector<Line> cut = {{0, "before"},
                                 {7, std::string(10, 'x'), 1000},
                                 {1009, "1234567890"},
                                 {1021, "1234567890", 11},
                                 {1033, "after"}};
  for (const std::size_t piece :
       {1, 2, 3, 7, 10, 11, 12, 13, 64, 500, 999, 1006, 1007, 1008, 5000}) {
    INFO("piece " << piece);
    LineFramer::Stats stats;
    CHECK(Run(options, text, piece, true, &stats) == cut);
    CHECK(stats.truncated == 2);
  }
  options.too_long = FramingOptions::TooLong::kDrop;
  for (const std::size_t piece : {1, 3, 12, 500, 5000}) {
    INFO("piece " << piece);
    LineFramer::Stats stats;
    CHECK(Run(options, text, piece, true, &stats) ==
          std::vector<Line>{{0, "before"}, {1009, "1234567890"}, {1033, "after"}});
    CHECK(stats.dropped == 2);
  }
}

TEST_CASE("an endless line holds no more than its head") {
  FramingOptions options;
  LineFramer framer(options, 0);
  std::size_t largest = 0;
  for (int i = 0; i < 1600; ++i) {  // 100 MiB
    const std::span<char> room = framer.Prepare(65536);
    std::fill(room.begin(), room.end(), 'x');
    framer.Commit(room.size());
    EventBatch batch;
    REQUIRE_FALSE(framer.Cut(batch, 1));
    REQUIRE(batch.empty());
    largest = std::max(largest, batch.Footprint());
  }
  CHECK(largest < 4096);
  EventBatch batch;
  framer.Finish(batch, 1);
  REQUIRE(batch.size() == 1);
  CHECK(batch.Find(0, "message")->len == options.max_line_bytes);
  CHECK(batch.Find(0, "_original_bytes")->i64 == 1600 * 65536);
}

TEST_CASE("delimiters of several bytes, units of two") {
  FramingOptions options;
  options.delimiter = "--\n";
  for (std::size_t piece = 1; piece < 20; ++piece)
    CHECK(Run(options, "a-\n--\nb---\n\r--\nc", piece) ==
          std::vector<Line>{{0, "a-\n"}, {6, "b-"}, {11, "\r"}, {15, "c"}});
  options.delimiter = std::string("\n\0", 2);  // UTF-16LE
  options.unit = 2;
  // U+0A00 (bytes 00 0a) before U+0041: "\n\0" at an odd place is no delimiter.
  const std::string text("\x00\x0a\x00\x41\n\0B\0", 8);
  for (std::size_t piece = 1; piece < 9; ++piece)
    CHECK(Run(options, text, piece) ==
          std::vector<Line>{{0, text.substr(0, 4)}, {6, std::string("B\0", 2)}});
}

TEST_CASE("a transcoder sees whole lines") {
  FramingOptions options;
  options.transcode = [](std::string_view in, Arena& arena) {
    std::string upper(in);
    for (char& c : upper) c = static_cast<char>(std::toupper(c));
    return arena.Copy(upper + "!");
  };
  CHECK(Run(options, "ab\ncd", 3) == std::vector<Line>{{0, "AB!"}, {3, "CD!"}});
}

TEST_CASE("batches are bounded in events") {
  FramingOptions options;
  options.max_events = 10;
  CHECK(Run(options, std::string(1005, '\n'), 400).size() == 1005);
}

TEST_CASE("random texts in random pieces agree with a plain split") {
  std::mt19937 random(11);
  for (int round = 0; round < 2000; ++round) {
    FramingOptions options;
    options.max_line_bytes = 1 + random() % 80;
    options.max_events = 1 + random() % 5;
    std::string text;
    for (std::size_t i = random() % 180; i > 0; --i) text += "abcdefghij\n\r"[random() % 12];
    std::vector<Line> want;
    std::size_t start = 0;
    while (start < text.size()) {
      const std::size_t end = std::min(text.find('\n', start), text.size());
      std::string line = text.substr(start, end - start);
      if (!line.empty() && line.back() == '\r') line.pop_back();
      Line l{start, line.substr(0, options.max_line_bytes)};
      if (line.size() > options.max_line_bytes) l.original = static_cast<std::int64_t>(line.size());
      want.push_back(l);
      start = end + 1;
    }
    INFO("text " << text << " max " << options.max_line_bytes);
    // The last line has no delimiter: whether its "\r" is part of it is not known while it is long.
    if (!text.empty() && text.back() != '\n') {
      want.pop_back();
      auto got = Run(options, text, 1 + random() % 20);
      got.pop_back();
      REQUIRE(got == want);
    } else {
      REQUIRE(Run(options, text, 1 + random() % 20) == want);
    }
  }
}

}  // namespace
}  // namespace millrace::agent
