// Values that are set one by one, as by --set.
#include "framework/base/config.h"
#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

TEST_CASE("set takes numbers as people write them") {
  Config c;
  const auto real = [&](const std::string& text) {
    c.set("k", text);
    return c.get_real("k");
  };
  CHECK(real(".001") == 0.001);
  CHECK(real("1.") == 1);
  CHECK(real("+0.001") == 0.001);
  CHECK(real("-.5e+1") == -5);
  CHECK(real("1.E-3") == 0.001);
  CHECK(real("007") == 7);
  c.set("k", "+5");
  CHECK(c.get_int("k") == 5);
  CHECK(c.dump() == "{\n  \"k\": 5\n}\n");
  for (const char* text : {".", "+", "-", "+.", "1,5", "0x10", "1e", ".e3", "1.5.2", "--1", "+-1",
                           "1 2", "inf", "nan", "1e999", "+1e999"}) {
    CAPTURE(text);
    c.set("k", text);
    CHECK(c.get_string("k") == text);
  }
  c.set("k", "1.");
  CHECK(message_of<ArgumentError>([&] { c.get_int("k"); }) ==
        "--set k=1.: 'k': expected an integer without fraction or exponent, got 1.0");
}

TEST_CASE("set can be told what to call a value in errors") {
  Config c;
  c.set("learning_rate", "abc", "--lr");
  CHECK(message_of<ArgumentError>([&] { c.get_real("learning_rate"); }) ==
        "--lr: 'learning_rate': expected a number, got \"abc\"");
}

TEST_CASE("overrides are read as JSON, else as strings, and make objects on the way") {
  Config c = Config::parse(R"({"model": {"d": 64, "name": "x"}, "lr": 1})", "c.json");
  const Config before = c;
  c.set("model.d", "128");
  c.set("model.name=plain text");
  c.set("a.b.c", "[1, 2]");
  c.set("lr", "nan");
  c.set("equation=x=y");
  CHECK(c.get_object("model").get_int("d") == 128);
  CHECK(c.get_object("model").get_string("name") == "plain text");
  CHECK(c.get_object("a").get_object("b").get_ints("c", {}) == std::vector<std::int64_t>{1, 2});
  CHECK(c.get_string("equation") == "x=y");
  CHECK_THROWS_WITH(c.get_real("lr"), "--set lr=nan: 'lr': expected a number, got \"nan\"");
  CHECK(before.get_object("model").get_int("d") == 64);

  CHECK_THROWS_WITH(c.set("lr.x", "1"), "--set lr.x=1: 'lr': expected an object, got \"nan\"");
  for (const std::string key : {"a..b", "", "a.", "\xff"}) {
    CHECK(message_of<ArgumentError>([&] { c.set(key, "1"); }) ==
          "--set: 'key': expected names joined by dots, got '" + printable(key) + "'");
  }
  CHECK(message_of<ArgumentError>([&] { c.set("novalue"); }) ==
        "--set: 'assignment': expected key=value, got 'novalue'");
  CHECK(message_of<FormatError>([&] { c.set("s", "\xff"); }) ==
        "--set s=\\xff: expected a value in UTF-8");
  c.set("model", "null");
  CHECK(c.get_optional_int("model") == std::nullopt);
}

}  // namespace crocuta::test
