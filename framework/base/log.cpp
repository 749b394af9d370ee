#include "framework/base/log.h"

#include <spdlog/logger.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <array>
#include <atomic>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "framework/base/error.h"

namespace crocuta {
namespace {

constexpr std::array<const char*, 5> kNames = {"debug", "info", "warn", "error", "off"};
constexpr std::size_t kMaxBytes = 4000;

class Log {
 public:
  // `first_name` is that of the program, if it is known before anything is said.
  explicit Log(std::string_view first_name)
      : name(printable(first_name)),
        logger_("crocuta", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    logger_.set_pattern("%v");
    logger_.set_level(spdlog::level::trace);
    logger_.flush_on(spdlog::level::trace);
    logger_.set_error_handler([](const std::string&) {});  // a closed stderr is no reason to stop
    const char* wanted = std::getenv("CROCUTA_LOG");
    if (!wanted) return;
    try {
      level = parse_log_level(wanted);
    } catch (const ArgumentError& error) {
      write(LogLevel::warn, error.what());
    }
  }

  void write(LogLevel severity, std::string_view message) {
    if (severity < level) return;
    static constexpr std::array<const char*, 4> kLabels = {": debug: ", "",
                                                           ": warning: ", ": error: "};
    const std::lock_guard lock(mutex_);
    std::string line;
    if (severity != LogLevel::info) line = name + kLabels[static_cast<std::size_t>(severity)];
    line += printable(message, kMaxBytes);
    if (sink) {
      sink(severity, line);
    } else {
      logger_.log(spdlog::level::info, spdlog::string_view_t(line.data(), line.size()));
    }
  }

  // Runs `change` while no message is being written.
  template <class Change>
  void configure(Change change) {
    const std::lock_guard lock(mutex_);
    change(*this);
  }

  std::atomic<LogLevel> level = LogLevel::info;
  std::string name;
  LogSink sink;

 private:
  std::mutex mutex_;
  spdlog::logger logger_;
};

Log& log(std::string_view first_name = "crocuta") {
  static Log log(first_name);
  return log;
}

}  // namespace

void log_debug(std::string_view message) {
  log().write(LogLevel::debug, message);
}
void log_info(std::string_view message) {
  log().write(LogLevel::info, message);
}
void log_warn(std::string_view message) {
  log().write(LogLevel::warn, message);
}
void log_error(std::string_view message) {
  log().write(LogLevel::error, message);
}

void set_log_name(std::string_view name) {
  log(name).configure([&](Log& log) { log.name = printable(name); });
}
void set_log_level(LogLevel level) {
  log().level = level;
}
void set_log_sink(LogSink sink) {
  log().configure([&](Log& log) { log.sink = std::move(sink); });
}

LogLevel parse_log_level(std::string_view text) {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (text == kNames[i]) return static_cast<LogLevel>(i);
  }
  fail<ArgumentError>("log", "CROCUTA_LOG", "debug, info, warn, error or off",
                      str("'", printable(text), "'"));
}

}  // namespace crocuta
