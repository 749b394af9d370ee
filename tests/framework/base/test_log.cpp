#include "framework/base/log.h"

#include <unistd.h>

#include <cstdlib>
#include <thread>
#include <vector>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "tests/support/catch.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using test::TemporaryDirectory;

namespace {

// Collects lines while it lives.
class Capture {
 public:
  Capture() {
    set_log_sink([this](LogLevel, const std::string& line) { lines.push_back(line); });
  }
  ~Capture() {
    set_log_sink({});
    set_log_level(LogLevel::info);
    set_log_name("crocuta");
  }
  std::vector<std::string> lines;
};

}  // namespace

TEST_CASE("lines carry the program's name and their severity") {
  Capture capture;
  set_log_name("train_hyena");
  set_log_level(LogLevel::debug);
  log_debug("a");
  log_info("b {} %s");
  log_warn("c");
  log_error("d");
  CHECK(capture.lines == std::vector<std::string>{"train_hyena: debug: a", "b {} %s",
                                                  "train_hyena: warning: c",
                                                  "train_hyena: error: d"});
}

TEST_CASE("the level hides what lies below it") {
  Capture capture;
  const auto shown = [&](LogLevel level) {
    capture.lines.clear();
    set_log_level(level);
    log_debug("d");
    log_info("i");
    log_warn("w");
    log_error("e");
    return capture.lines.size();
  };
  CHECK(shown(LogLevel::debug) == 4);
  CHECK(shown(LogLevel::info) == 3);
  CHECK(shown(LogLevel::warn) == 2);
  CHECK(shown(LogLevel::error) == 1);
  CHECK(shown(LogLevel::off) == 0);
  CHECK(parse_log_level("warn") == LogLevel::warn);
  CHECK_THROWS_AS(parse_log_level("loud"), ArgumentError);
  CHECK_THROWS_WITH(parse_log_level("loud"),
                    "log: 'CROCUTA_LOG': expected debug, info, warn, error or off, got 'loud'");
}

TEST_CASE("messages cannot control the terminal and stay on one line") {
  Capture capture;
  log_info("a\nb\x1b[31m");
  log_info(std::string(100000, 'x'));
  REQUIRE(capture.lines.size() == 2);
  CHECK(capture.lines[0] == "a\\x0ab\\x1b[31m");
  CHECK(capture.lines[1].size() < 4096);
}

TEST_CASE("lines go to stderr, whole, also from several threads") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("stderr");
  log_debug("");  // stderr is opened before it is exchanged
  const int saved = ::dup(2);
  {
    File file = File::create(path);
    ::dup2(file.descriptor(), 2);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 50; ++i) log_warn("twelve bytes");
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  ::dup2(saved, 2);
  ::close(saved);
  std::string expected;
  for (int i = 0; i < 200; ++i) expected += "crocuta: warning: twelve bytes\n";
  CHECK(read_file(path, 1 << 20) == expected);
}
