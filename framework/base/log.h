// Messages to stderr: one line each, "train_hyena: warning: ..." (information without a prefix).
//
// The environment variable CROCUTA_LOG chooses what is shown: debug, info (the default), warn,
// error or off.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace crocuta {

enum class LogLevel { debug, info, warn, error, off };

// Control characters in messages are escaped, and messages cut after 4,000 bytes.
void log_debug(std::string_view message);
void log_info(std::string_view message);
void log_warn(std::string_view message);
void log_error(std::string_view message);

// The program's name, with which lines begin; "crocuta" at first.
void set_log_name(std::string_view name);
void set_log_level(LogLevel level);
// "debug", "info", "warn", "error" or "off"; throws ArgumentError for other texts.
LogLevel parse_log_level(std::string_view text);

// Sends lines to `sink` instead of stderr; an empty function undoes it.
using LogSink = std::function<void(LogLevel level, const std::string& line)>;
void set_log_sink(LogSink sink);

}  // namespace crocuta
