#include "framework/base/file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <limits>

#include "framework/base/config.h"
#include "framework/base/error.h"
#include "framework/io/jsonl.h"
#include "tests/support/catch.h"
#include "tests/support/losing_disk.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using test::TemporaryDirectory;

namespace {

std::string contents(const std::string& path) {
  return read_file(path, 1 << 20);
}

std::size_t entries(const std::string& path) {
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) {
    static_cast<void>(entry);
    ++count;
  }
  return count;
}

// Makes the n-th system call that changes files fail with `code` while it lives.
class FailCall {
 public:
  FailCall(int n, int code) {
    set_file_hook([n, code, seen = 0](const char*, const std::string&) mutable {
      return ++seen == n ? code : 0;
    });
  }
  ~FailCall() { set_file_hook({}); }
};

}  // namespace

TEST_CASE("what was written is read back, from any offset") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("f");
  const std::string text("one\0two\n", 8);
  {
    File file = File::create(path);
    file.write(text);
    file.write(text);
    file.sync();
    file.close();
  }
  CHECK(contents(path) == text + text);
  const File file = File::open_read(path);
  CHECK(file.size() == 16);
  std::string part(3, ' ');
  file.read_at(12, part.data(), 3);
  CHECK(part == "two");
  CHECK_THROWS_AS(file.read_at(15, part.data(), 3), IoError);
  CHECK_THROWS_WITH(file.read_at(15, part.data(), 3),
                    path + ": ended at byte 16 while being read; was it truncated meanwhile?");
  CHECK_THROWS_AS(read_file(path, 15), FormatError);
  CHECK(read_file(path, 16).size() == 16);
}

TEST_CASE("creating a file neither overwrites nor follows a link") {
  const TemporaryDirectory directory;
  File::create(directory.path("f")).write("x");
  CHECK_THROWS_AS(File::create(directory.path("f")), IoError);
  REQUIRE(::symlink("target", directory.path("link").c_str()) == 0);
  CHECK_THROWS_AS(File::create(directory.path("link")), IoError);
  CHECK_THROWS_AS(File::open_append(directory.path("link")), IoError);
  CHECK(file_kind(directory.path("target")) == FileKind::absent);
  CHECK(file_kind(directory.path("link")) == FileKind::link);
  CHECK(file_kind(directory.path("f")) == FileKind::file);
  CHECK(file_kind(directory.path("f") + "/x") == FileKind::absent);
  CHECK(file_kind(directory.path()) == FileKind::directory);
}

TEST_CASE("a device that is full gives its reason") {
  if (::access("/dev/full", W_OK) != 0) SKIP_TEST("there is no /dev/full");
  CHECK_THROWS_WITH(File::open_append("/dev/full"), "/dev/full: expected a file, got a device");
  const TemporaryDirectory directory;
  File file = File::create(directory.path("f"));
  const FailCall fail(1, ENOSPC);
  CHECK_THROWS_WITH(file.write("x"),
                    directory.path("f") + ": cannot write: No space left on device");
}

TEST_CASE("replacing a file leaves the old or the new contents whatever fails") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("f");
  const auto write = [](File& file) {
    file.write("new ");
    file.write("contents");
  };
  replace_file(path, [](File& file) { file.write("old"); });
  int failures = 0;
  for (int n = 1;; ++n) {
    bool failed = false;
    {
      const FailCall fail(n, EIO);
      try {
        replace_file(path, write);
      } catch (const IoError& error) {
        failed = true;
        CHECK_THAT(error.what(), ContainsSubstring("Input/output error"));
      }
    }
    if (!failed) break;
    ++failures;
    const std::string now = contents(path);
    CHECK((now == "old" || now == "new contents"));
    CHECK(entries(directory.path()) == 1);
  }
  CHECK(failures >= 7);  // open, 2 writes, fsync, close, rename, directory open and fsync
  CHECK(contents(path) == "new contents");
  CHECK_THROWS_AS(replace_file(path, [](File&) { throw ArgumentError("no"); }), ArgumentError);
  CHECK(contents(path) == "new contents");
  CHECK(entries(directory.path()) == 1);
}

TEST_CASE("replacing a file leaves the old or the new contents after a power cut") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("f");
  replace_file(path, [](File& file) { file.write("old"); });
  test::LosingDisk disk(directory.path());
  const auto left = [&](std::uint64_t end) {
    const TemporaryDirectory after;
    disk.after_power_cut(after.path(), end);
    return contents(after.path("f"));
  };
  int calls = 0;
  std::uint64_t most = 0;
  set_file_hook([&](const char* call, const std::string& at) {
    const std::uint64_t ends = disk.ends();
    for (std::uint64_t end = 0; end < ends; ++end) {
      const std::string found = left(end);
      CHECK((found == "old" || found == "new"));
    }
    most = std::max(most, ends);
    disk.before(call, at);
    ++calls;
    return 0;
  });
  replace_file(path, [](File& file) { file.write("new"); });
  set_file_hook({});
  CHECK(calls >= 5);
  CHECK(most == 4);  // its new name, and the rename
  const std::uint64_t ends = disk.ends();
  for (std::uint64_t end = 0; end < ends; ++end) CHECK(left(end) == "new");
}

TEST_CASE("only a regular file is replaced") {
  const TemporaryDirectory directory;
  const auto write = [](File& file) { file.write("x"); };
  CHECK_THROWS_WITH(replace_file(directory.path(), write), ContainsSubstring("got a directory"));
  REQUIRE(::symlink("target", directory.path("link").c_str()) == 0);
  CHECK_THROWS_WITH(replace_file(directory.path("link"), write),
                    ContainsSubstring("got a symbolic link"));
  CHECK_THROWS_AS(replace_file(directory.path("absent/f"), write), IoError);
}

TEST_CASE("metrics are JSON lines whose numbers read back exactly") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("metrics.jsonl");
  const double third = 1.0 / 3, tiny = 5e-324, large = 1.7976931348623157e308;
  {
    JsonlWriter writer(path);
    writer.write(JsonLine()
                     .add("step", 3)
                     .add("third", third)
                     .add("tiny", tiny)
                     .add("large", large)
                     .add("nan", std::numeric_limits<double>::quiet_NaN())
                     .add("inf", -HUGE_VAL)
                     .add("text", "a \"b\"\n")
                     .add("ok", true)
                     .add("tokens", std::uint64_t{18446744073709551615u}));
    CHECK(contents(path).ends_with("}\n"));  // visible before the file is closed
  }
  const Config line = Config::parse(contents(path));
  CHECK(line.get_int("step") == 3);
  CHECK(line.get_real("third") == third);
  CHECK(line.get_real("tiny") == tiny);
  CHECK(line.get_real("large") == large);
  CHECK(line.get_optional_int("nan") == std::nullopt);  // null
  CHECK(line.get_optional_int("inf") == std::nullopt);
  CHECK(line.get_string("text") == "a \"b\"\n");
  CHECK(line.get_bool("ok"));
  CHECK_THAT(contents(path), ContainsSubstring("\"tokens\": 18446744073709551615}"));
  CHECK_THROWS_AS(JsonLine().add("k", "\xff"), ArgumentError);
}

TEST_CASE("appending to metrics first removes a line cut short") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("metrics.jsonl");
  const std::string long_part(10000, 'x');  // more than one block to search
  for (const std::string& start : {std::string("{\"a\": 1}\n"), std::string()}) {
    for (const std::string& part : {std::string(), std::string("{\"a\""), long_part}) {
      std::filesystem::remove(path);
      File::create(path).write(start + part);
      JsonlWriter(path).write(JsonLine().add("b", 2));
      CHECK(contents(path) == start + "{\"b\": 2}\n");
    }
  }
}
