#include "framework/base/cli.h"

#include <unistd.h>

#include <cstdio>
#include <functional>
#include <memory>

#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

// A program with one option of each kind, and what became of them.
struct Program {
  std::string in = "none";
  std::int64_t steps = 10;
  std::vector<std::string> sets;
  bool verbose = false;
  bool ran = false;
  bool given_steps = false;

  explicit Program(std::vector<const char*> args) {
    CommandLine cli("prog", "A program.", "The end.");
    cli.option("--in", in, "FILE", "File to read", CommandLine::Need::required);
    cli.option("--steps", steps, "N", "Steps", 1, 1000);
    cli.option("--set", sets, "KEY=VALUE", "Override");
    cli.flag("--verbose", verbose, "Talk");
    args.insert(args.begin(), "prog");
    ran = cli.parse(static_cast<int>(args.size()), args.data());
    given_steps = cli.given("--steps");
  }
};

std::string error_of(std::vector<const char*> args) {
  return message_of<ArgumentError>([&] { Program program(args); });
}

// What `f` writes to standard output.
std::string printed(const std::function<void()>& f) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::tmpfile(), &std::fclose);
  REQUIRE(file);
  std::fflush(stdout);
  const int before = ::dup(STDOUT_FILENO);
  ::dup2(::fileno(file.get()), STDOUT_FILENO);
  f();
  ::dup2(before, STDOUT_FILENO);
  ::close(before);
  std::rewind(file.get());
  std::string text;
  for (int c; (c = std::fgetc(file.get())) != EOF;) text += static_cast<char>(c);
  return text;
}

}  // namespace

TEST_CASE("options reach their variables, in both spellings") {
  const Program p({"--in", "a", "--steps=7", "--set", "a=1", "--set", "b=2", "--verbose"});
  CHECK(p.ran);
  CHECK(p.in == "a");
  CHECK(p.steps == 7);
  CHECK(p.given_steps);
  CHECK(p.sets == std::vector<std::string>{"a=1", "b=2"});
  CHECK(p.verbose);
}

TEST_CASE("options that are not given keep their values") {
  const Program p({"--in", "a"});
  CHECK(p.steps == 10);
  CHECK(!p.given_steps);
  CHECK(p.sets.empty());
  CHECK(!p.verbose);
}

TEST_CASE("values may begin with a dash") {
  CHECK(Program({"--in", "-1"}).in == "-1");
  CHECK(Program({"--in", "a", "--set", "lr=-1e-3"}).sets[0] == "lr=-1e-3");
}

TEST_CASE("help and version are printed instead of running") {
  bool help = true, version = true;
  const std::string out = printed([&] {
    help = Program({"--help"}).ran;
    version = Program({"--version"}).ran;
  });
  CHECK(!help);
  CHECK(!version);
  CHECK_THAT(out, ContainsSubstring("A program."));
  CHECK_THAT(out, ContainsSubstring("--steps N"));
  CHECK_THAT(out, ContainsSubstring("The end."));
  CHECK_THAT(out, ContainsSubstring("prog (Crocuta) "));
}

TEST_CASE("an unknown option is named with the nearest known one") {
  CHECK(error_of({"--in", "a", "--stpes", "3"}) ==
        "unknown option '--stpes' (did you mean '--steps'?); see --help");
  CHECK(error_of({"--stpes=3"}) ==
        "unknown option '--stpes=3' (did you mean '--steps'?); see --help");
  CHECK(error_of({"--in", "a", "word"}) == "stray argument 'word'; see --help");
  CHECK(error_of({"--in", "a", "\x1b[2J"}) == "stray argument '\\x1b[2J'; see --help");
}

TEST_CASE("missing and repeated options and values are errors") {
  CHECK(error_of({}) == "--in is required; see --help");
  CHECK(error_of({"--in", "a", "--in", "b"}) == "--in: expected once, got it again; see --help");
  CHECK_THAT(error_of({"--in", "a", "--verbose=maybe"}), ContainsSubstring("verbose was given"));
}

TEST_CASE("an option is not taken for the value that another lacks") {
  CHECK(error_of({"--in"}) == "--in: expected FILE, got nothing; see --help");
  CHECK(error_of({"--in="}) == "--in: expected FILE, got nothing; see --help");
  CHECK(error_of({"--in=", "a"}) == "--in: expected FILE, got nothing; see --help");
  CHECK(error_of({"--in", "--steps", "5"}) ==
        "--in: expected FILE, got the option '--steps'; see --help");
  CHECK(error_of({"--steps", "--in=a"}) ==
        "--steps: expected N, got the option '--in=a'; see --help");
  CHECK(error_of({"--in", "a", "--set", "--verbose"}) ==
        "--set: expected KEY=VALUE, got the option '--verbose'; see --help");
  CHECK(Program({"--in", "--stpes"}).in == "--stpes");  // no option, so a value
  CHECK(Program({"--in=--steps"}).in == "--steps");
  CHECK(Program({"--in", "a", "--set=k="}).sets == std::vector<std::string>{"k="});
}

TEST_CASE("numbers are whole, decimal and in range") {
  for (const char* text : {"0", "1001", "-5", "abc", "3.5", "1e3", "0x10", " 3", "3 ", "nan",
                           "99999999999999999999"}) {
    CAPTURE(text);
    const std::string steps = std::string("--steps=") + text;
    CHECK(error_of({"--in", "a", steps.c_str()}) ==
          std::string("--steps: expected a whole number from 1 to 1000, got '") + text + "'");
  }
  CHECK(Program({"--in", "a", "--steps", "010"}).steps == 10);
  CHECK(Program({"--in", "a", "--steps", "+10"}).steps == 10);
}

TEST_CASE("numbers with fractions may be written in every way, and are in range") {
  const RealRange range{.max = 2, .above = 0};
  for (const auto& [text, value] : {std::pair<const char*, double>{".7", 0.7},
                                    {"1.", 1},
                                    {"+0.001", 0.001},
                                    {"2", 2},
                                    {"1e-3", 0.001},
                                    {"+1.E-3", 0.001}}) {
    CAPTURE(text);
    double read = 0;
    CommandLine cli("prog", "");
    cli.option("--x", read, "X", "", range);
    const std::vector<const char*> args = {"prog", "--x", text};
    REQUIRE(cli.parse(3, args.data()));
    CHECK(read == value);
  }
  for (const char* text : {"", ".", "0", "-1", "2.1", "1,5", "0x1", "1 ", "nan", "inf", "1e999"}) {
    CAPTURE(text);
    CHECK(message_of<ArgumentError>([&] { parse_number("--x", text, range); }) ==
          std::string("--x: expected a number above 0 and of at most 2, got '") + text + "'");
  }
}

TEST_CASE("a configuration is a file or JSON, which white space may precede") {
  CHECK(config_argument("{\"a\": 1}").get_int("a") == 1);
  CHECK(config_argument("\n \t{\"a\": 1}").get_int("a") == 1);
  CHECK(message_of<ArgumentError>([] { config_argument("\n{"); }).starts_with("--config: line 2"));
  CHECK(message_of<ArgumentError>([] { config_argument("/none"); }) ==
        "/none: cannot open: No such file or directory");
  CHECK_THAT(message_of<ArgumentError>([] { config_argument(" "); }),
             ContainsSubstring("No such file"));
}

TEST_CASE("two options can be bound together") {
  std::int64_t a = 0, b = 0;
  const auto parse = [&](std::vector<const char*> args) {
    CommandLine cli("prog", "");
    cli.option("--a", a, "N", "", 0, 9);
    cli.option("--b", b, "N", "", 0, 9);
    cli.only_together("--a", "--b");
    args.insert(args.begin(), "prog");
    cli.parse(static_cast<int>(args.size()), args.data());
  };
  parse({});
  parse({"--a", "1", "--b", "2"});
  CHECK(a + b == 3);
  CHECK(message_of<ArgumentError>([&] { parse({"--a", "1"}); }) == "--a requires --b; see --help");
  CHECK(message_of<ArgumentError>([&] { parse({"--b", "1"}); }) == "--b requires --a; see --help");
}

TEST_CASE("an option may take several values, or do without one") {
  const auto run = [](std::vector<const char*> args) {
    std::vector<std::string> data;
    std::string resume = "unset";
    bool flag = false;
    CommandLine cli("prog", "A program.");
    cli.list("--data", data, "FILE ...", "Files");
    cli.optional_value("--resume", resume, "[DIR]", "Directory");
    cli.flag("--verbose", flag, "Talk");
    args.insert(args.begin(), "prog");
    cli.parse(static_cast<int>(args.size()), args.data());
    std::string text = resume + (cli.given("--resume") ? "!" : "") + (flag ? " v" : "");
    for (const std::string& file : data) text += " " + file;
    return text;
  };
  CHECK(run({"--data", "a", "b", "--verbose"}) == "unset v a b");
  CHECK(run({"--data", "a", "--data", "b"}) == "unset a b");
  CHECK(run({"--resume"}) == "!");
  CHECK(run({"--resume", "--verbose"}) == "! v");
  CHECK(run({"--resume", "runs/a", "--data", "b"}) == "runs/a! b");
  CHECK(message_of<ArgumentError>([&] { run({"--data"}); }).find("--data") == 0);
}

}  // namespace crocuta::test
