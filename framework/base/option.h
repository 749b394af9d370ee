// Options of a layer or a program, each declared once, in a list of this form:
//
//   template <class Options, class Visit>
//   void for_each_option(Options& o, Visit&& visit) {
//     visit("dropout", o.dropout, RealRange{.min = 0, .below = 1}, "Probability of ...");
//     visit("task", o.task, Choices{{"recall", "dna"}}, "What is learned");
//   }
//
// A visitor reads them, checks them, writes or explains them by the functions below. Types of other
// folders have overloads there, found by their arguments.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "framework/base/config.h"

namespace crocuta {

// What an option's value may be, beside IntRange and RealRange.
struct IntOrNull : IntRange {};  // null, too, which means the default
struct Choices {
  std::vector<std::string> texts;
};
struct Anything {};

// Replaces `value` by the configuration's, if it has the key. A default that is out of its own range
// is none: then the key is required. Throw what Config's getters throw.
void read_option(const Config& config, const char* key, std::int64_t& value, IntRange range);
void read_option(const Config& config, const char* key, std::int64_t& value, IntOrNull range);
void read_option(const Config& config, const char* key, double& value, RealRange range);
void read_option(const Config& config, const char* key, std::string& value, const Choices& choices);
void read_option(const Config& config, const char* key, std::string& value, Anything);
void read_option(const Config& config, const char* key, bool& value, Anything);
void read_option(const Config& config, const char* key, std::vector<std::string>& value, Anything);

// Throws ArgumentError, in the name of `layer`, for a value out of range.
void require_option(const char* layer, const char* key, std::int64_t value, IntRange range);
void require_option(const char* layer, const char* key, double value, RealRange range);

// The value as JSON.
std::string option_json(std::int64_t value);
std::string option_json(double value);
std::string option_json(bool value);
std::string option_json(const std::string& value);
std::string option_json(const std::vector<std::string>& values);

// A line of --help: key, default and what it is for, in columns.
std::string option_help(std::string_view key, std::string_view json, std::string_view help);

}  // namespace crocuta
