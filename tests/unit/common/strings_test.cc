#include "common/base/strings.h"

#include "common/base/utf8.h"
#include "tests/support/catch.h"

namespace millrace {
namespace {

TEST_CASE("printable text is valid UTF-8, whatever went in") {
  CHECK(Printable("plain \xc3\xa9") == "plain \xc3\xa9");
  CHECK(Printable("\x1b[31m\n") == "\\x1b[31m\\x0a");
  CHECK(Printable("a\xffz") == "a\\xffz");
  CHECK(Printable("abc\xc3\xa9", 4) == "abc...");  // never cut inside a character
  CHECK(Printable("abcdef", 3) == "abc...");
}

TEST_CASE("well-formed sequences of UTF-8") {
  CHECK(Utf8SequenceLength("a") == 1);
  CHECK(Utf8SequenceLength("\xc3\xa9") == 2);
  CHECK(Utf8SequenceLength("\xe2\x82\xac") == 3);
  CHECK(Utf8SequenceLength("\xf0\x9f\x98\x80") == 4);
  for (const std::string_view bad :
       {"", "\xc3", "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe0\x80\x80", "\xff"})
    CHECK(Utf8SequenceLength(bad) == 0);
}

TEST_CASE("base64 round trip") {
  for (const std::string text : {"", "f", "fo", "foo", "foob"})
    CHECK(Base64Decode(Base64Encode(text)) == text);
  CHECK(Base64Encode("fo") == "Zm8=");
  CHECK_FALSE(Base64Decode("a*b="));
}

}  // namespace
}  // namespace millrace
