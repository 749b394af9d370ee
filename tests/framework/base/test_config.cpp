#include "framework/base/config.h"

#include <sys/stat.h>
#include <unistd.h>

#include <clocale>
#include <fstream>
#include <functional>
#include <locale>

#include "framework/base/did_you_mean.h"
#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using test::message_of;
using test::TemporaryDirectory;

namespace {

std::string error_of(const std::string& text, const std::function<void(const Config&)>& use = {}) {
  try {
    const Config config = Config::parse(text, "c.json");
    if (use) use(config);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

std::string int_error(const std::string& value) {
  return error_of("{\n \"k\": " + value + "}",
                  [](const Config& c) { c.get_int("k", {.min = 1, .max = 100}); });
}

void write_text(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("getters return what was written") {
  const Config c = Config::parse(R"({
    "i": -7, "big": 9223372036854775807, "r": 2.5e-3, "whole": 3, "yes": true,
    "s": "h\u00e9 \"q\"", "ints": [1, 2, 3], "words": ["a", "b"], "none": null,
    "sub": {"deeper": {"x": 1}}})");
  CHECK(c.get_int("i") == -7);
  CHECK(c.get_int("big") == INT64_MAX);
  CHECK(c.get_real("r") == 2.5e-3);
  CHECK(c.get_real("whole") == 3.0);
  CHECK(c.get_bool("yes"));
  CHECK(c.get_string("s") == "h\xc3\xa9 \"q\"");
  CHECK(c.get_ints("ints", {}) == std::vector<std::int64_t>{1, 2, 3});
  CHECK(c.get_strings("words", {}) == std::vector<std::string>{"a", "b"});
  CHECK(c.get_object("sub").get_object("deeper").get_int("x") == 1);
  CHECK(c.get_optional_int("i") == -7);
  CHECK(c.get_choice("absent", "a", {"a", "b"}) == "a");
  CHECK(c.keys() == std::vector<std::string>{"big", "i", "ints", "none", "r", "s", "sub", "whole",
                                             "words", "yes"});
}

TEST_CASE("absent keys give the fallback, or an error where the key is required") {
  const Config c = Config::parse(R"({"sub": {}})", "c.json");
  CHECK_FALSE(c.has("k"));
  CHECK(c.get_int("k", 5) == 5);
  CHECK(c.get_real("k", 0.5) == 0.5);
  CHECK(c.get_bool("k", true));
  CHECK(c.get_string("k", "s") == "s");
  CHECK(c.get_ints("k", {4}) == std::vector<std::int64_t>{4});
  CHECK(c.get_strings("k", {"w"}) == std::vector<std::string>{"w"});
  CHECK(c.get_optional_int("k") == std::nullopt);
  CHECK(c.get_object("k").keys().empty());
  CHECK_THROWS_AS(c.get_int("k"), ArgumentError);
  CHECK_THROWS_AS(c.get_real("k"), ArgumentError);
  CHECK_THROWS_AS(c.get_bool("k"), ArgumentError);
  CHECK_THROWS_AS(c.get_string("k"), ArgumentError);
  CHECK_THROWS_WITH(c.get_object("sub").get_int("d_model"),
                    "c.json: 'sub.d_model': expected a value, the key being required, got nothing");
}

TEST_CASE("null is an error, except where a value may be left out") {
  const Config c = Config::parse(R"({"k": null})", "c.json");
  CHECK(c.has("k"));
  CHECK(c.get_optional_int("k") == std::nullopt);
  const auto error = [&](auto get) { return message_of<ArgumentError>([&] { get(); }); };
  const std::string where = "c.json: line 1: 'k': expected ";
  CHECK(error([&] { c.get_int("k", 5); }) == where + "an integer, got null");
  CHECK(error([&] { c.get_real("k", 0.5); }) == where + "a number, got null");
  CHECK(error([&] { c.get_bool("k", true); }) == where + "true or false, got null");
  CHECK(error([&] { c.get_string("k", "s"); }) == where + "a string, got null");
  CHECK(error([&] { c.get_ints("k", {}); }) == where + "a list of integers, got null");
  CHECK(error([&] { c.get_strings("k", {}); }) == where + "a list of strings, got null");
  CHECK(error([&] { c.get_object("k"); }) == where + "an object, got null");
}

TEST_CASE("an integer takes no fraction, exponent, string, or number out of bounds") {
  const std::string where = "c.json: line 2: 'k': expected an integer";
  CHECK(int_error("3.7") == where + " without fraction or exponent, got 3.7");
  CHECK(int_error("3.0") == where + " without fraction or exponent, got 3.0");
  CHECK(int_error("1e1") == where + " without fraction or exponent, got 1e1");
  CHECK(int_error("-1") == where + " from 1 to 100, got -1");
  CHECK(int_error("101") == where + " from 1 to 100, got 101");
  CHECK(int_error("9223372036854775808") == where + " that fits 64 bits, got 9223372036854775808");
  CHECK(int_error("99999999999999999999") ==
        where + " that fits 64 bits, got 99999999999999999999");
  CHECK(int_error("\"5\"") == where + " from 1 to 100, got \"5\"");
  CHECK(int_error("true") == where + " from 1 to 100, got true");
  CHECK(int_error("[5]") == where + " from 1 to 100, got a list");
  CHECK(int_error("{}") == where + " from 1 to 100, got an object");
  CHECK(int_error("5").empty());
}

TEST_CASE("a real number stays within its bounds, open and closed") {
  const auto error = [](const std::string& value) {
    return error_of("{\"lr\": " + value + "}",
                    [](const Config& c) { c.get_real("lr", {.max = 10, .above = 0}); });
  };
  const std::string wanted = "c.json: line 1: 'lr': expected a number above 0 and of at most 10, ";
  CHECK(error("0") == wanted + "got 0");
  CHECK(error("-0.0") == wanted + "got -0.0");
  CHECK(error("10.5") == wanted + "got 10.5");
  CHECK(error("\"1e-3\"") == wanted + "got \"1e-3\"");
  CHECK(error("1e-999") ==
        "c.json: line 1: 'lr': expected a number within the range of a double, got 1e-999");
  CHECK(error("10").empty());
  CHECK(error("5e-324").empty());
  CHECK_THAT(error("1e999"), ContainsSubstring("number overflow"));
}

TEST_CASE("other wrong types are named") {
  const Config c =
      Config::parse(R"({"a": 1, "m": [null], "l": [1, "x"], "o": {"w": ["p", 2]}})", "c.json");
  const std::string a = "c.json: line 1: 'a': expected ";
  CHECK_THROWS_WITH(c.get_bool("a"), a + "true or false, got 1");
  CHECK_THROWS_WITH(c.get_string("a"), a + "a string, got 1");
  CHECK_THROWS_WITH(c.get_object("a"), a + "an object, got 1");
  CHECK_THROWS_WITH(c.get_ints("a", {}), a + "a list of integers, got 1");
  CHECK_THROWS_WITH(c.get_strings("a", {}), a + "a list of strings, got 1");
  CHECK_THROWS_WITH(c.get_ints("l", {}), "c.json: line 1: 'l[1]': expected an integer, got \"x\"");
  CHECK_THROWS_WITH(c.get_object("o").get_strings("w", {}),
                    "c.json: line 1: 'o.w[1]': expected a string, got 2");
  CHECK_THROWS_WITH(c.reject("a", "a multiple of 4"), a + "a multiple of 4, got 1");
  CHECK_THROWS_WITH(c.get_strings("m", {}), "c.json: line 1: 'm[0]': expected a string, got null");
  CHECK_THROWS_WITH(c.reject("b", "a multiple of 4"),
                    "c.json: 'b': expected a multiple of 4, got nothing");
}

TEST_CASE("a choice names the alternatives and the nearest") {
  const Config c = Config::parse(R"({"task": "recal"})", "c.json");
  CHECK_THROWS_WITH(c.get_choice("task", "dna", {"recall", "dna", "bytes"}),
                    "c.json: line 1: 'task': expected one of 'recall', 'dna', 'bytes' (did you "
                    "mean 'recall'?), got \"recal\"");
}

TEST_CASE("an unknown key is an error that suggests the nearest known one") {
  const Config c = Config::parse("{\"steps\": 3,\n\"train\": {\n\"learnig_rate\": 1}}", "c.json");
  c.get_int("steps", 1);
  const Config train = c.get_object("train");
  c.finish();
  train.get_real("learning_rate", 1e-3);
  CHECK_THROWS_AS(train.finish(), ArgumentError);
  CHECK_THROWS_WITH(train.finish(),
                    "c.json: line 3: unknown key 'train.learnig_rate' (did you "
                    "mean 'learning_rate'?)");
  CHECK_THROWS_WITH(train.allow_only({"zeta", "eta"}),
                    "c.json: line 3: unknown key 'train.learnig_rate'; known keys: 'zeta', 'eta'");
  train.allow_only({"learnig_rate"});
}

TEST_CASE("a key given twice is an error with both lines") {
  CHECK(message_of<FormatError>([] {
          Config::parse("{\"a\": 1,\n \"b\": {\"a\": 2},\n \"a\": 3}", "c.json");
        }) == "c.json: line 3: duplicate key 'a', already given in line 1");
  CHECK(error_of("{\"a\": 1, \"b\": {\"a\": 2}, \"c\": [{\"a\": 3}, {\"a\": 4}]}").empty());
}

TEST_CASE("syntax errors give line and column") {
  const auto at = [](const std::string& text) {
    const std::string error = error_of(text);
    return error.substr(0, error.find(": syntax"));
  };
  CHECK(at("{\"a\": 1,\n \"b\" 2}") == "c.json: line 2, column 6");
  CHECK(at("{\"a\": 1,}") == "c.json: line 1, column 9");
  CHECK(at("{'a': 1}") == "c.json: line 1, column 2");
  CHECK(at("{\"a\": NaN}") == "c.json: line 1, column 7");
  CHECK(at("{\"a\": 01}") == "c.json: line 1, column 8");
  CHECK(at("{\"a\": .5}") == "c.json: line 1, column 7");
  CHECK(at("{\"a\": +5}") == "c.json: line 1, column 7");
  CHECK(at("{\"a\": 1} x") == "c.json: line 1, column 10");
  CHECK(at("{\"a\": // no\n 1}") == "c.json: line 1, column 7");
  CHECK(at("{\"\xc3\xa9\": x}") == "c.json: line 1, column 7");
  CHECK(at("{\"a\": 1\n") == "c.json: line 2, column 1");
  CHECK(at("{\"a\n\": 1}") == "c.json: line 1, column 4");
}

TEST_CASE("texts that are no configuration are FormatErrors") {
  CHECK_THROWS_AS(Config::parse(""), FormatError);
  CHECK_THROWS_AS(Config::parse(" \n\t"), FormatError);
  CHECK_THROWS_AS(Config::parse("[1]"), FormatError);
  CHECK_THROWS_AS(Config::parse("3"), FormatError);
  CHECK_THROWS_AS(Config::parse("{\"a\": \"\xff\"}"), FormatError);
  CHECK_THROWS_AS(Config::parse("{\"a\": \"\xc0\x80\"}"), FormatError);
  CHECK_THROWS_AS(Config::parse("{\"a\": \"\\ud800\"}"), FormatError);
  CHECK_THROWS_AS(Config::parse("{\"a\": 1, \"a\": 1}"), FormatError);
  CHECK(error_of(std::string("{\"a\": 1}\n\0{}", 12)) ==
        "c.json: line 2, column 1: expected JSON, got a NUL byte");
  CHECK(error_of("") == "c.json: expected a JSON document, got an empty text");
  CHECK(error_of("[]") == "c.json: expected a JSON object, got a list");
  CHECK_THAT(error_of("{\"a\": \"\xff\"}"), ContainsSubstring("line 1, column 8"));
  CHECK(error_of("\xef\xbb\xbf{\"a\": 1}").empty());

  const auto nested = [](int depth) {
    return "{\"a\": " + std::string(static_cast<std::size_t>(depth - 1), '[') +
           std::string(static_cast<std::size_t>(depth - 1), ']') + "}";
  };
  CHECK(error_of(nested(32)).empty());
  CHECK(error_of(nested(33)) == "c.json: line 1: expected nesting of at most 32 levels, got more");
  CHECK(error_of(nested(500000)) == error_of(nested(33)));
  CHECK(error_of("{}" + std::string(Config::kMaxBytes - 2, ' ')).empty());
  CHECK(error_of("{}" + std::string(Config::kMaxBytes - 1, ' ')) ==
        "c.json: expected at most 1048576 bytes, got 1048577 bytes");
}

TEST_CASE("text from the file cannot speak to the terminal") {
  const std::string unknown =
      error_of(R"({"\u001b[31mred": 1})", [](const Config& c) { c.finish(); });
  CHECK_THAT(unknown, ContainsSubstring("\\x1b[31mred"));
  const std::string wrong =
      error_of(R"({"a": "\n\u0007"})", [](const Config& c) { c.get_int("a"); });
  CHECK(wrong.find_first_of("\n\a\x1b") == std::string::npos);
  const std::string broken = error_of("{\"a\x1b[2J\": }");
  CHECK(broken.find('\x1b') == std::string::npos);
  CHECK_FALSE(broken.empty());
}

TEST_CASE("files that are missing, unreadable or no files are named") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("c.json");
  write_text(path, "{\"a\": 1}");
  CHECK(Config::load(path).get_int("a") == 1);
  CHECK_THROWS_WITH(Config::load(path).get_int("b"), ContainsSubstring(path + ": 'b': expected"));

  CHECK_THROWS_AS(Config::load(directory.path("absent")), IoError);
  CHECK_THROWS_WITH(Config::load(directory.path("absent")),
                    ContainsSubstring("absent: cannot open: No such file"));
  CHECK_THROWS_AS(Config::load(directory.path()), IoError);
  CHECK_THROWS_WITH(Config::load(directory.path()), ContainsSubstring("got a directory"));
  const std::string fifo = directory.path("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK_THROWS_AS(Config::load(fifo), IoError);
  CHECK_THROWS_WITH(Config::load(fifo), ContainsSubstring("got a FIFO"));
  write_text(path, "");
  CHECK(message_of<FormatError>([&] { Config::load(path); }) ==
        path + ": expected a JSON document, got an empty text");
  write_text(path, std::string(Config::kMaxBytes + 1, ' '));
  CHECK(message_of<FormatError>([&] { Config::load(path); }) ==
        path + ": expected at most 1048576 bytes, got 1048577 bytes");
}

TEST_CASE("a file without read permission is an IoError") {
  const TemporaryDirectory directory;
  const std::string path = directory.path("c.json");
  write_text(path, "{}");
  REQUIRE(::chmod(path.c_str(), 0) == 0);
  REQUIRE(::chmod(directory.path().c_str(), 0755) == 0);
  const bool is_root = ::geteuid() == 0;  // root may read everything
  if (is_root) REQUIRE(::seteuid(65534) == 0);
  std::string error;
  try {
    Config::load(path);
  } catch (const IoError& e) {
    error = e.what();
  }
  if (is_root) REQUIRE(::seteuid(0) == 0);
  CHECK(error == path + ": cannot open: Permission denied");
}

TEST_CASE("merging replaces values and joins objects") {
  Config base = Config::parse(R"({"a": 1, "o": {"x": 1, "y": [1, 2]}})");
  base.merge(Config::parse(R"({"b": 2, "o": {"y": [3], "z": {"w": 4}}})"));
  CHECK(base == Config::parse(R"({"a": 1, "b": 2, "o": {"x": 1, "y": [3], "z": {"w": 4}}})"));
}

TEST_CASE(
    "equal configurations have equal text and fingerprints, and reading the text gives them") {
  const Config a = Config::parse(R"({"b": [1.50, 1e3, -0], "a": {"z": "q\"\u0001", "n": null}})");
  const Config b = Config::parse(R"({ "a" : {"z":"q\"\u0001"}, "b": [1.5, 1000, 0] })");
  CHECK(a.dump() ==
        "{\n  \"a\": {\n    \"z\": \"q\\\"\\u0001\"\n  },\n  \"b\": [1.5, 1000, 0]\n}\n");
  CHECK(a == b);
  CHECK(a.fingerprint() == b.fingerprint());
  CHECK(Config::parse(a.dump()) == a);
  CHECK(a.fingerprint() != Config::parse("{}").fingerprint());
  CHECK(Config().dump() == "{}\n");
  CHECK(Config::parse(R"({"l": [null, true, "\t"]})").dump() ==
        "{\n  \"l\": [null, true, \"\\t\"]\n}\n");
}

TEST_CASE("differences are listed key by key") {
  const Config a = Config::parse(R"({"m": {"d": 64, "same": 1}, "only": true})");
  const Config b = Config::parse(R"({"m": {"d": 128, "same": 1.0}, "other": "x"})");
  const auto differences = a.differences(b);
  REQUIRE(differences.size() == 3);
  CHECK(differences[0].key == "m.d");
  CHECK(differences[0].ours == "64");
  CHECK(differences[0].theirs == "128");
  CHECK(differences[1].key == "only");
  CHECK(differences[1].theirs.empty());
  CHECK(differences[2].theirs == "\"x\"");
  CHECK(a.differences(a).empty());
}

namespace {
struct CommaLocale : std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};
}  // namespace

TEST_CASE("a decimal-comma locale changes nothing") {
  const auto check = [] {
    const Config c = Config::parse(R"({"lr": 1234.5, "n": 1000000})", "c.json");
    CHECK(c.get_real("lr") == 1234.5);
    CHECK(c.dump() == "{\n  \"lr\": 1234.5,\n  \"n\": 1000000\n}\n");
    CHECK_THROWS_WITH(c.get_int("n", {.max = 5000}),
                      "c.json: line 1: 'n': expected an integer of at most 5000, got 1000000");
  };
  const std::locale previous = std::locale::global(std::locale(std::locale(), new CommaLocale));
  check();
  std::locale::global(previous);
  for (const char* name : {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE.utf8"}) {
    if (!std::setlocale(LC_ALL, name)) continue;
    check();
    std::setlocale(LC_ALL, "C");
  }
}

TEST_CASE("suggestions are the nearest name, and none where nothing is near") {
  const std::vector<std::string> names = {"learning_rate", "steps", "seed", "batch_size"};
  CHECK(nearest("learnin_rate", names) == "learning_rate");
  CHECK(nearest("Learning_Rate", names) == "learning_rate");
  CHECK(nearest("setps", names) == "steps");
  CHECK(nearest("sede", names) == "seed");
  CHECK(nearest("batchsize", names) == "batch_size");
  CHECK(nearest("zebra", names).empty());
  CHECK(nearest("x", names).empty());
  CHECK(nearest("", names).empty());
  CHECK(nearest("steps", {}).empty());
  CHECK(nearest(std::string(1000000, 's'), names).empty());
  CHECK(did_you_mean("sed", names) == " (did you mean 'seed'?)");
  CHECK(did_you_mean("qqq", names).empty());
}
