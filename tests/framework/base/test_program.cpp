#include "framework/base/program.h"

#include <stdlib.h>

#include "tests/support/catch.h"
#include "tests/support/run_program.h"

namespace crocuta::test {

TEST_CASE("a word is quoted for the shell where it has to be, and comes back whole") {
  CHECK(shell_quote("runs/recall-2") == "runs/recall-2");
  CHECK(shell_quote("a b") == "'a b'");
  CHECK(shell_quote("it's") == "'it'\\''s'");
  CHECK(shell_quote("").size() == 2);
  CHECK(shell_quote("a\nb") == "$'a\\012b'");
  for (const std::string word : {"",
                                 " ",
                                 "a b",
                                 "it's",
                                 "\"$HOME\"",
                                 "`ls`",
                                 "$(ls)",
                                 "~",
                                 "~/x",
                                 "*",
                                 "a\nb",
                                 "\\",
                                 "a\\nb",
                                 "\x1b[31m'\\1",
                                 "gr\xc3\xbc\xc3\x9f",
                                 "\xff\x01"
                                 "7",
                                 "!x",
                                 "#x",
                                 "a;b",
                                 "{a,b}",
                                 "-x"}) {
    CAPTURE(word);
    const ProgramResult echoed = run_program({"/bin/bash", "-c", "printf %s " + shell_quote(word)});
    CHECK(echoed.out == word);
  }
}

TEST_CASE("messages for users name no functions of the library") {
  CHECK(without_functions("a/model.safetensors: load_state_dict: 'state': expected") ==
        "a/model.safetensors: 'state': expected");
  CHECK(without_functions("distributed::init: the launcher started") == "the launcher started");
  CHECK(without_functions("shard_sequence: 'dim': expected") == "'dim': expected");
  CHECK(without_functions("Linear: 'x': expected") == "Linear: 'x': expected");
  CHECK(without_functions("my_load_state_dict: missing") == "my_load_state_dict: missing");
}

TEST_CASE("commands are spelled as they were typed, or as short as they can be") {
  ::unsetenv("CROCUTA_COMMAND");
  begin_program("test_program", "build/bin/train it");
  CHECK(own_command() == "'build/bin/train it'");
  CHECK(command_beside("generate") == "build/bin/generate");
  begin_program("test_program", "train");  // found along PATH
  CHECK(own_command() == "train");
  CHECK(command_beside("generate") == "generate");
  char here[4096];
  REQUIRE(::realpath(".", here) != nullptr);
  begin_program("test_program", (std::string(here) + "/bin/train").c_str());
  CHECK(own_command() == "bin/train");
  CHECK(command_beside("generate") == "bin/generate");
  begin_program("test_program", (std::string(here) + "/train").c_str());
  CHECK(command_beside("generate") == "./generate");
  begin_program("test_program", "/nowhere/train");
  CHECK(command_beside("generate") == "/nowhere/generate");
  REQUIRE(::setenv("CROCUTA_COMMAND", "scripts/my train.sh", 1) == 0);
  CHECK(own_command() == "'scripts/my train.sh'");
  CHECK(command_beside("generate") == "/nowhere/generate");
  ::unsetenv("CROCUTA_COMMAND");
  CHECK(!command_above("no/such/file"));
}

}  // namespace crocuta::test
