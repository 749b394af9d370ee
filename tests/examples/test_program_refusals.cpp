// What train_hyena and generate_hyena refuse: one line that names it, and exit status 2 for what
// the user asked for, 1 for what turned up on the way.
#include <sys/stat.h>

#include <cstdlib>

#include "framework/device/device.h"
#include "tests/examples/programs.h"

namespace crocuta::test {
namespace {

// A configuration of nested lists.
std::string nested(int depth) {
  const auto lists = static_cast<std::size_t>(depth - 1);
  return "{\"data\": " + std::string(lists, '[') + std::string(lists, ']') + "}";
}

// A directory that everybody may look into, unlike those that mkdtemp makes.
struct OpenDirectory : TemporaryDirectory {
  OpenDirectory() { REQUIRE(::chmod(path().c_str(), 0755) == 0); }
};

}  // namespace

TEST_CASE("usage errors are one line and exit 2, before any file is made") {
  const TemporaryDirectory folder;
  const std::string out = folder.path("run");
  const auto refuses = [&](Arguments arguments, const std::string& text) {
    arguments.insert(arguments.begin(), {"--out", out});
    check_refusal(train(arguments, false), 2, text);
    CHECK(!fs::exists(out));
  };
  refuses({"--backend", "nccl"}, "'nccl' is for several processes: start them with mpirun");
  refuses({"--stpes", "3"}, "unknown option '--stpes' (did you mean '--steps'?)");
  refuses({"words"}, "stray argument 'words'");
  refuses({"--steps", "3", "4"}, "stray argument '4'");
  refuses({"--steps"}, "--steps: expected N, got nothing");
  refuses({"--steps", "--cp", "2"}, "--steps: expected N, got the option '--cp'");
  refuses({"--steps", ""}, "'steps': expected an integer from 1 to 1000000000000, got \"\"");
  refuses({"--steps", "-5"}, "'steps': expected an integer from 1 to 1000000000000, got -5");
  refuses({"--steps", "1e3"}, "'steps': expected an integer without fraction or exponent, got 1e3");
  refuses({"--steps", "99999999999999999999"},
          "'steps': expected an integer that fits 64 bits, got 99999999999999999999");
  refuses({"--lr", "abc"}, "'learning_rate': expected a number above 0 and of at most 10, got");
  refuses({"--lr", "nan"}, "'learning_rate': expected a number above 0 and of at most 10, got");
  refuses({"--lr", "1e999"}, "'learning_rate': expected a number above 0 and of at most 10, got");
  refuses({"--lr", "0,001"}, "error: --lr: 'learning_rate': expected a number above 0 and of at ");
  refuses({"--lr", "-1"}, "'learning_rate': expected a number above 0 and of at most 10, got -1");
  refuses({"--device", "tpu"},
          "error: configuration: 'device': expected auto, cpu, cuda or cuda:<number>, got \"tpu\"");
  refuses({"--task", "chess"}, "'task': expected one of 'recall', 'dna', 'text', got \"chess\"");
  refuses({"--set", "d_modle=3"}, "d_modle' (did you mean 'd_model'?)");
  refuses({"--set", "d_model"}, "'assignment': expected key=value, got 'd_model'");
  refuses({"--cp", "3"}, "'cp': expected a divisor of d_model = 64, got 3");
  refuses({"--task", "text"}, "'data': task 'text' needs files: --data FILE ...");
  refuses({"--threads", "1025"}, "'threads': expected an integer from 0 to 1024, got 1025");
  refuses({"--config", R"({"task": "text", "data": ["a\u0000b"]})"},
          "'data[0]': expected a string without NUL");
  // Names of files may be any bytes, a configuration holds text only.
  const std::string odd = "caf\xe9";
  refuses({"--task", "text", "--data", odd}, "'data': expected text in UTF-8, got 'caf\\xe9'");
  refuses({"--device", odd}, "'device': expected text in UTF-8, got 'caf\\xe9'");
  refuses({"--resume", folder.path(), "--seed", "3"}, "--out does not go with --resume");

  check_refusal(generate({"--prompt", "a"}), 2, "--checkpoint is required");
  check_refusal(generate({"--checkpiont", "a"}), 2, "did you mean '--checkpoint'?");
  check_refusal(generate({"--checkpoint", "a", "--prompt"}), 2, "--prompt: expected TEXT");
  check_refusal(generate({"--checkpoint", "a", "--prompt", "b", "--seed", "-1"}), 2,
                "--seed: expected a whole number from 0 to");
  check_refusal(generate({"--checkpoint", "a", "--prompt", "b", "--temperature", "nan"}), 2,
                "--temperature: expected a number of at least 0 and of at most 1000, got 'nan'");
  const char* one = "expected either --prompt or --prompt-file";
  check_refusal(generate({"--checkpoint", "a"}), 2, one);
  check_refusal(generate({"--checkpoint", "a", "--prompt", "b", "--prompt-file", "c"}), 2, one);
}

TEST_CASE("help and version exit 0 and teach") {
  const ProgramResult help = train({"--help"}, false);
  CHECK(help.status == 0);
  CHECK_THAT(help.out, ContainsSubstring("mpirun -n 4 train_hyena --cp 2"));
  const ProgramResult version = train({"--version"}, false);
  CHECK(version.status == 0);
  CHECK(version.out.starts_with("train_hyena (Crocuta) "));
  CHECK(generate({"--help"}).status == 0);
  CHECK(generate({"--version"}).status == 0);
  CHECK(shell("CROCUTA_LOG=loud $TRAIN --version")
            .err.starts_with("train_hyena: warning: log: 'CROCUTA_LOG': expected debug, "));
  CHECK(shell("CROCUTA_NUM_THREADS=all $TRAIN --version").err ==
        "train_hyena: warning: CROCUTA_NUM_THREADS: expected a number of threads, got 'all'\n");
}

TEST_CASE("a configuration file that cannot be used is named, with exit status 2") {
  const OpenDirectory folder;
  const std::string out = folder.path("run"), file = folder.path("c.json");
  const auto refuses = [&](const std::string& path, const std::string& text, As user = As::self) {
    check_refusal(train({"--config", path, "--out", out}, false, user), 2, text);
    CHECK(!fs::exists(out));
  };
  const auto refuses_text = [&](const std::string& json, const std::string& text) {
    write(file, json);
    refuses(file, file + ": " + text);
  };
  refuses(folder.path("none"), "none: cannot open: No such file or directory");
  refuses(folder.path(), ": expected a file, got a directory");
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0666) == 0);
  refuses(folder.path("fifo"), "fifo: expected a file, got a FIFO");
  write(folder.path("secret"), "{}");
  REQUIRE(::chmod(folder.path("secret").c_str(), 0) == 0);
  refuses(folder.path("secret"), "secret: cannot open: Permission denied", As::nobody);

  refuses_text("", "expected a JSON document, got an empty text");
  refuses_text("{}" + std::string(1 << 20, ' '), "expected at most 1048576 bytes, got 1048578");
  refuses_text(nested(33), "line 1: expected nesting of at most 32 levels, got more");
  refuses_text("{\n \"task\": \"\xff\"}", "line 2, column 11: syntax error");
  refuses_text("{\"steps\": 3,\n \"seed\" 2}", "line 2, column 9: syntax error");
  refuses_text("{\n\"stpes\": 3}", "line 2: unknown key 'stpes' (did you mean 'steps'?)");
  refuses_text("{\n  \"steps\": 3,\n  \"steps\": 4\n}",
               "line 3: duplicate key 'steps', already given in line 2");
  refuses_text("{\"steps\": \"3\"}", "line 1: 'steps': expected an integer from 1 to");
  refuses_text("{\"task\": 3}", "line 1: 'task': expected a string, got 3");
  refuses_text("{\"data\": \"x\"}", "line 1: 'data': expected a list of strings, got \"x\"");
  refuses_text("{\"steps\": 2.5}", "line 1: 'steps': expected an integer without fraction or expo");
  refuses_text("{\"steps\": 1e3}", "line 1: 'steps': expected an integer without fraction or expo");
  refuses_text("{\"seed\": -1}", "line 1: 'seed': expected an integer from 0 to");
  refuses_text("{\"cp\": 4294967297}", "line 1: 'cp': expected an integer from 1 to 1048576, got");
  refuses_text("{\"steps\": 9223372036854775808}",
               "line 1: 'steps': expected an integer that fits");
  refuses_text("{\"dropout\": NaN}", "line 1, column 13: syntax error");
  for (const char* rate : {"0", "-0.1", "10.5"}) {
    refuses_text(std::string("{\"learning_rate\": ") + rate + "}",
                 std::string("line 1: 'learning_rate': expected a number above 0 and of at most ") +
                     "10, got " + rate);
  }
  refuses_text("{\"learning_rate\": 1e999}", "line 1, column 23: number overflow");
}

TEST_CASE("sizes that contradict each other are named, with exit status 2") {
  const TemporaryDirectory folder;
  const auto refuses = [&](const std::string& json, const std::string& text) {
    write(folder.path("c.json"), json);
    check_refusal(train({"--config", folder.path("c.json"), "--out", folder.path("run")}, false), 2,
                  text);
  };
  refuses("{\"d_model\": 10, \"cp\": 4}", "'cp': expected a divisor of d_model = 10, got 4");
  refuses("{\"d_model\": 10, \"cp\": 5}",
          "'cp': expected a divisor of the sequence length, 72, got");
  refuses("{\"emb_dim\": 4}", "line 1: 'emb_dim': expected an odd number, got 4");
  refuses("{\"symbols\": 9}", "line 1: 'symbols': expected an even number, got 9");
  refuses("{\"seq_len\": 63}", "line 1: 'seq_len': expected an even number for task 'recall', got");
  refuses("{\"seq_len\": 2, \"symbols\": 6}",
          "'test_sequences': expected a sixteenth of the sequences that exist, or fewer, got 500");
  refuses("{\"min_learning_rate\": 1}",
          "line 1: 'min_learning_rate': expected at most the learnin");
  refuses("{\"task\": \"recall\", \"data\": [\"x\"]}", "line 1: 'data': expected nothing, since");
}

TEST_CASE("data that cannot be used is named, with exit status 1") {
  using namespace std::string_literals;
  const OpenDirectory folder;
  const auto refuses = [&](const std::string& task, const std::string& name,
                           const std::string& text, As user = As::self) {
    // Under nobody's eyes the run cannot have a directory either, but data come first.
    check_refusal(train({"--task", task, "--data", folder.path(name), "--out", folder.path("run"),
                         "--set", "seq_len=16"},
                        false, user),
                  1, text);
    CHECK(!fs::exists(folder.path("run")));
  };
  const auto refuses_bytes = [&](const std::string& task, const std::string& bytes,
                                 const std::string& text) {
    write(folder.path("x"), bytes);
    refuses(task, "x", text);
  };
  refuses("text", "none", "none': cannot be opened: No such file or directory");
  refuses("text", "", "is a directory; name the files in it");
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0666) == 0);
  refuses("dna", "fifo", "fifo': is not a regular file");
  write(folder.path("secret"), "ABC");
  REQUIRE(::chmod(folder.path("secret").c_str(), 0) == 0);
  refuses("text", "secret", "secret': cannot be opened: Permission denied", As::nobody);
  for (const char* task : {"text", "dna"}) refuses_bytes(task, "", "x': is empty");
  refuses_bytes("text", "0123456789", "at least seq_len + 1 = 17 tokens to train on, got 9 (of 10");
  refuses_bytes("dna", ">x\nACGT\n", "at least seq_len + 1 = 17 tokens to train on, got 3 (of 4,");

  refuses_bytes("dna", "\x1f\x8b\x08\x00"s, "line 1: byte 0x1f; gzip? decompress first");
  refuses_bytes("dna", "\x7f"s + "ELF", "line 1, column 1: byte 0x7f; not a text file?");
  refuses_bytes("dna", ">x\nAC\0GT\n"s, "line 2, column 3: NUL byte; not a text file");
  refuses_bytes("dna", ">x\nACGT\nAC3T\n", "line 3, column 3: digit '3' in the sequence");
  refuses_bytes("dna", "ACGT\n", "line 1: expected a header ('>name') before the sequence");
  refuses_bytes("dna", ">x\n", "x': expected at least one base, got none");
  const std::string known(100, 'A'), unknown(100, 'N');
  refuses_bytes("dna", ">x\n" + known + unknown,
                "nothing to predict in the part that is held out: all its 20 tokens (of 200)");
  refuses_bytes("dna", ">x\n" + unknown + unknown + known.substr(80),
                "nothing to predict in the part that is trained on: all its 198 tokens (of 220)");
}

TEST_CASE("data that change under a run end it after the next checkpoint, with exit status 1") {
  const TemporaryDirectory folder;
  const std::string data = folder.path("data"), run = folder.path("run");
  std::string text;
  for (int i = 0; i < 300; ++i) text += "ab" + std::to_string(i % 13) + "\n";
  const std::string bytes = std::to_string(text.size());
  for (const std::string change : {"truncate -s 10 ", "truncate -s +1 ", "rm "}) {
    CAPTURE(change);
    write(data, text);
    fs::remove_all(run);
    const ProgramResult result =
        shell("$TRAIN --task text --data " + data + " --steps 100000000 --set log_every=1 " +
              "--set save_every=2 --set n_layers=1 --set eval_every=100000000 --out " + run +
              " > /dev/null & pid=$!; for i in {1..400}; do grep -qs train_accuracy " + run +
              "/metrics.jsonl && break; sleep 0.05; done; " + change + data + "; wait $pid");
    check_refusal(result, 1, "data': changed while in use: ");
    CHECK_THAT(result.err, ContainsSubstring("; all is saved in " + run + ", and goes on with "));
    bool saved = false;
    for (const auto& entry : fs::directory_iterator(run)) {
      saved = saved || fs::exists(entry.path() / "manifest.json");
    }
    CHECK(saved);
    const char* what = change[0] == 'r'    ? "No such file or directory"
                       : change[12] == '1' ? " bytes, now it has 10"
                                           : " bytes, now it has ";
    CHECK_THAT(result.err, ContainsSubstring(what));
    if (change[0] == 't') CHECK_THAT(result.err, ContainsSubstring("it had " + bytes + " bytes"));
  }
}

TEST_CASE("a directory that cannot hold checkpoints is named, with exit status 1") {
  const OpenDirectory folder;
  const auto refuses = [&](const std::string& name, const std::string& text, As user = As::self) {
    check_refusal(train({"--steps", "1", "--out", folder.path(name)}, true, user), 1,
                  folder.path(name) + text);
  };
  write(folder.path("file"), "x");
  refuses("file", ": expected a directory for checkpoints, got something else");
  refuses("file/run", ": cannot make the directory: Not a directory");
  fs::create_directory(folder.path("target"));
  fs::create_symlink("target", folder.path("link"));
  refuses("link", ": expected a directory for checkpoints, got a symbolic link; name its target");
  fs::create_directory(folder.path("readonly"));
  REQUIRE(::chmod(folder.path("readonly").c_str(), 0555) == 0);
  refuses("readonly", "/lock: cannot open: Permission denied", As::nobody);
  refuses("readonly/run", ": cannot make the directory: Permission denied", As::nobody);
  CHECK(fs::is_empty(folder.path("readonly")));
  CHECK(fs::is_empty(folder.path("target")));
}

TEST_CASE("a run that cannot fit into memory is refused before it takes any") {
  const TemporaryDirectory folder;
  const std::string out = folder.path("run");
  for (const char* size : {"batch_size=16777216", "d_model=1048576", "seq_len=268435454"}) {
    CAPTURE(size);
    check_refusal(train({"--set", size, "--device", "cpu", "--out", out}, false), 1,
                  "training needs about ");
    CHECK(!fs::exists(out));
  }
}

TEST_CASE("nothing to resume is an error") {
  const TemporaryDirectory folder;
  check_refusal(train({"--resume", folder.path("none")}, false), 1, "no such directory");
  check_refusal(train({"--resume", folder.path()}, false), 1, "holds no checkpoint");
  write(folder.path("file"), "x");
  check_refusal(train({"--resume", folder.path("file")}, false), 1, "file: cannot list the direct");
}

TEST_CASE("a second run in the same directory is kept out") {
  const TemporaryDirectory folder;
  const std::string run = folder.path("run");
  REQUIRE(train({"--steps", "2", "--set", "schedule_steps=100000000", "--out", run}).status == 0);
  const std::string again = "$TRAIN_HYENA --resume " + run;
  const ProgramResult result =
      shell(again + " --steps 100000000 >/dev/null & pid=$!; for i in {1..400}; do [[ $(< " + run +
            "/lock) == $pid ]] && break; sleep 0.05; done; " + again +
            " --steps 5; status=$?; kill -KILL $pid; exit $status");
  check_refusal(result, 1, run + ": in use by another run (process ");
}

TEST_CASE(
    "without a GPU, asking for one is an error, and asking for any device says it is the CPU") {
  const TemporaryDirectory folder;
#if !defined(CROCUTA_CUDA_EMULATED)
  if (cuda_device_count() > 0) SKIP_TEST("there is a GPU here");
#endif
  REQUIRE(::setenv("CROCUTA_EMULATED_DEVICES", "0", 1) == 0);  // for builds that emulate
  Arguments any = kTiny;
  any.resize(any.size() - 2);  // without --device
  const auto with = [&](const std::string& device) {
    Arguments arguments = any;
    arguments.insert(arguments.end(),
                     {"--device", device, "--steps", "1", "--out", folder.path("run")});
    return train(arguments, false);
  };
  const std::string why = has_cuda_build() ? "no GPU: " : "this build has no CUDA; configure with ";
  check_refusal(with("cuda"), 2, "'device': expected cpu, got cuda:0 (" + why);
  check_refusal(with("cuda:1"), 2, "'device': expected cpu, got cuda:1 (" + why);
  CHECK(!fs::exists(folder.path("run")));
  const ProgramResult automatic = with("auto");
  ::unsetenv("CROCUTA_EMULATED_DEVICES");
  CAPTURE(automatic.out, automatic.err);
  CHECK(automatic.status == 0);
  CHECK_THAT(automatic.out,
             ContainsSubstring(std::string("float32 on cpu\nNo GPU is used: ") +
                               (has_cuda_build() ? "" : "this build has no CUDA\n")));
}

}  // namespace crocuta::test
