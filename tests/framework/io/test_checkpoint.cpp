#include "framework/io/checkpoint.h"

#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <system_error>

#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/checkpoints.h"
#include "tests/support/temporary_directory.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

std::string refusal(const std::string& directory) {
  try {
    open_checkpoint(directory);
  } catch (const FormatError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a checkpoint comes back as it was saved, and the newest is found") {
  const TemporaryDirectory directory;
  const std::string root = directory.path("runs/a");
  CHECK(load_latest(root) == std::nullopt);
  const CheckpointStore store(root + "/", 3);
  CHECK(store.root() == root);
  CHECK(load_latest(root) == std::nullopt);
  for (const std::int64_t step : {0, 10, 5, 536870912}) {
    store.save(contents(step));
    const Checkpoint saved = open_checkpoint(step_path(root, step));
    CHECK(saved.step == step);
    CHECK(is_whole(saved));
  }
  const auto latest = load_latest(root);
  REQUIRE(latest);
  CHECK(latest->step == 536870912);
  CHECK(latest->directory == root + "/step-536870912");
  CHECK_THROWS_AS(latest->path("absent"), FormatError);
  CHECK_THROWS_AS(latest->path("../lock"), FormatError);
}

TEST_CASE("the newest checkpoints are kept, older ones removed") {
  const TemporaryDirectory directory;
  const std::string& root = directory.path();
  const CheckpointStore store(root, 2);
  for (int step = 1; step <= 4; ++step) store.save(contents(step));
  CHECK(list_directory(root) == std::vector<std::string>{"lock", "step-00000003", "step-00000004"});
}

TEST_CASE("a damaged checkpoint does not count among those kept") {
  const TemporaryDirectory directory;
  const std::string& root = directory.path();
  const CheckpointStore store(root, 2);
  for (int step = 1; step <= 2; ++step) store.save(contents(step));
  write(step_path(root, 2) + "/model.safetensors", "short");
  store.save(contents(3));
  CHECK(exists(step_path(root, 1)));
  store.save(contents(4));
  CHECK_FALSE(exists(step_path(root, 1)));
  CHECK_FALSE(exists(step_path(root, 2)));
}

TEST_CASE("only what is wholly ours is removed, and no link is followed") {
  const TemporaryDirectory directory;
  const std::string root = directory.path("root"), elsewhere = directory.path("elsewhere");
  const CheckpointStore store(root, 1);
  store.save(contents(1));
  write(step_path(root, 1) + "/notes.txt", "mine");       // a file of the user's
  std::filesystem::create_directory(step_path(root, 2));  // no manifest
  write(step_path(root, 2) + "/precious", "mine");
  std::filesystem::create_directory(elsewhere);
  std::filesystem::copy(step_path(root, 1), elsewhere);
  std::filesystem::remove(elsewhere + "/notes.txt");
  std::filesystem::create_symlink(elsewhere, step_path(root, 3));  // a whole one, by a link
  write(root + "/step-5", "a file");
  store.save(contents(6));
  store.save(contents(7));
  CHECK(read(step_path(root, 1) + "/notes.txt") == "mine");
  CHECK(read(step_path(root, 2) + "/precious") == "mine");
  CHECK(exists(elsewhere + "/manifest.json"));
  CHECK(file_kind(step_path(root, 3)) == FileKind::link);
  CHECK(exists(root + "/step-5"));
  CHECK_FALSE(exists(step_path(root, 6)));
  CHECK(is_whole(*load_latest(root)));
}

TEST_CASE("a link in place of the working directories is refused, its target untouched") {
  const TemporaryDirectory directory;
  const std::string root = directory.path("root"), target = directory.path("target");
  std::filesystem::create_directory(target);
  write(target + "/precious", "mine");
  const CheckpointStore store(root);
  for (const char* name : {"/.saving", "/.removing"}) {
    std::filesystem::create_symlink(target, root + name);
    CHECK_THROWS_AS(store.save(contents(1)), IoError);
    CHECK(read(target + "/precious") == "mine");
    std::filesystem::remove(root + name);
  }
  store.save(contents(1));
  CHECK(is_whole(*load_latest(root)));
}

TEST_CASE("a step saved again replaces the old one; a foreign directory is set aside") {
  const TemporaryDirectory directory;
  const std::string& root = directory.path();
  const CheckpointStore store(root, 2);
  store.save(contents(1));
  CheckpointContents other = contents(1);
  other.texts["extra.txt"] = "x";
  store.save(other);
  CHECK(read(step_path(root, 1) + "/extra.txt") == "x");
  CHECK(list_directory(root) == std::vector<std::string>{"lock", "step-00000001"});

  Warnings warnings;
  write(step_path(root, 1) + "/notes.txt", "mine");
  store.save(contents(1));
  CHECK(read(root + "/set-aside-step-00000001/notes.txt") == "mine");
  CHECK(is_whole(*load_latest(root)));
  REQUIRE(warnings.lines.size() == 1);
  CHECK_THAT(warnings.lines[0], ContainsSubstring("not wholly ours; renamed to"));

  write(step_path(root, 1) + "/notes.txt", "mine too");
  store.save(contents(1));
  CHECK(read(root + "/set-aside-step-00000001/notes.txt") == "mine");
  CHECK(read(root + "/set-aside-step-00000001-2/notes.txt") == "mine too");
}

TEST_CASE("every flipped bit of a checkpoint is noticed, and its file named") {
  const TemporaryDirectory directory(fast_parent());
  const std::string& root = directory.path();
  CheckpointStore(root).save(contents(3));
  const std::string step = step_path(root, 3);
  for (const char* name : {"model.safetensors", "trainer.json", "manifest.json"}) {
    const std::string path = step + "/" + name;
    const std::string good = read(path);
    for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
      std::string bad = good;
      bad[bit / 8] ^= static_cast<char>(1 << (bit % 8));
      write(path, bad);
      if (!refusal(step).starts_with(path + ": "))
        FAIL(path << ", bit " << bit << ": " << refusal(step));
    }
    for (std::size_t length = 0; length < good.size(); ++length) {
      write(path, good.substr(0, length));
      if (!refusal(step).starts_with(path + ": ")) FAIL(path << " cut to " << length);
    }
    write(path, good + "\n");
    CHECK(refusal(step).starts_with(path + ": "));
    std::filesystem::remove(path);
    CHECK_THAT(refusal(step), ContainsSubstring(path + ": missing"));
    std::filesystem::create_symlink("/dev/null", path);
    CHECK_THAT(refusal(step), ContainsSubstring(path + ": missing"));
    std::filesystem::remove(path);
    write(path, good);
    CHECK(refusal(step).empty());
  }
}

TEST_CASE("a manifest cannot lead out of its directory, nor be of another version") {
  const TemporaryDirectory directory;
  const auto manifest = [&](const std::string& text) {
    write(directory.path("manifest.json"), text);
    return refusal(directory.path());
  };
  const std::string start = "{\"format\": \"crocuta-checkpoint\", \"version\": ";
  CHECK_THAT(manifest("{\"format\": \"other\"}"),
             ContainsSubstring("'format': expected crocuta-checkpoint, got \"other\""));
  CHECK_THAT(
      manifest(start + "2}"),
      ContainsSubstring("'version': expected 1, the only version this program knows, got 2"));
  for (const std::string name :
       {"../lock", "/etc/passwd", "a/b", ".", "..", ".hidden", "", "manifest.json", "a\\u0000b"}) {
    CHECK_THAT(manifest(start + "1, \"step\": 1, \"configuration\": \"\", \"files\": {\"" + name +
                        "\": {\"bytes\": 0, \"sha256\": \"\"}}}"),
               ContainsSubstring("expected a plain file name as key"));
  }
  CHECK_THAT(manifest(""), ContainsSubstring("got an empty text"));
  CHECK_THAT(manifest("{}"), ContainsSubstring("'format': expected a value"));
}

TEST_CASE("loading falls back to the newest good checkpoint and says so") {
  const TemporaryDirectory directory;
  const std::string& root = directory.path();
  const CheckpointStore store(root, 3);
  for (int step = 1; step <= 3; ++step) store.save(contents(step));
  Warnings warnings;
  const std::string bad = step_path(root, 3) + "/model.safetensors";
  write(bad, "short");
  auto latest = load_latest(root);
  REQUIRE(latest);
  CHECK(latest->step == 2);
  CHECK(is_whole(*latest));
  REQUIRE(warnings.lines.size() == 1);
  CHECK(warnings.lines[0] == "crocuta: warning: " + bad +
                                 ": damaged: expected 72 bytes, got 5; looking for an older "
                                 "checkpoint");
  std::filesystem::remove(step_path(root, 2) + "/manifest.json");
  CHECK(load_latest(root)->step == 1);
  std::filesystem::remove(step_path(root, 1) + "/trainer.json");
  CHECK_THROWS_AS(load_latest(root), FormatError);
  CHECK_THROWS_WITH(load_latest(root), root + ": no good checkpoint; of the newest: " + bad +
                                           ": damaged: expected 72 bytes, got 5");
}

TEST_CASE("a second run is kept out and told who is in") {
  const TemporaryDirectory directory;
  const std::string root = directory.path("root");
  {
    const CheckpointStore store(root);
    CHECK_THROWS_AS(CheckpointStore(root), IoError);
    CHECK_THROWS_WITH(CheckpointStore(root), root + ": in use by another run (process " +
                                                 std::to_string(::getpid()) +
                                                 "); wait for it or choose another directory");
  }
  const Hook hook([](const char* call, const std::string&) {
    return std::string(call) == "flock" ? ENOLCK : 0;
  });
  CHECK(message_of<IoError>([&] { CheckpointStore store(root); }) ==
        root + "/lock: cannot lock: No locks available");
}

TEST_CASE("roots that cannot hold checkpoints are named") {
  const TemporaryDirectory directory;
  write(directory.path("file"), "x");
  CHECK_THROWS_AS(CheckpointStore(directory.path("file")), IoError);
  CHECK_THROWS_WITH(CheckpointStore(directory.path("file")),
                    directory.path("file") +
                        ": expected a directory for checkpoints, got something "
                        "else");
  CHECK(message_of<IoError>([&] { CheckpointStore(directory.path("file/below")); }) ==
        directory.path("file/below") + ": cannot make the directory: Not a directory");
  std::filesystem::create_directory(directory.path("target"));
  std::filesystem::create_symlink("target", directory.path("link"));
  for (const char* name : {"link", "link/"}) {
    CHECK_THROWS_WITH(CheckpointStore(directory.path(name)),
                      ContainsSubstring("got a symbolic link; name its target instead"));
  }
  CHECK(message_of<IoError>([&] { load_latest(directory.path("file")); }) ==
        directory.path("file") + ": cannot list the directory: Not a directory");
  CHECK(message_of<ArgumentError>([&] { CheckpointStore(directory.path("k"), 0); }) ==
        "CheckpointStore: 'keep': expected at least 1, got 0");
}

TEST_CASE("a directory that cannot be written to is noticed at the start") {
  const TemporaryDirectory directory;
  for (const int code : {ENOSPC, EROFS, EIO, EDQUOT}) {
    for (const char* failing : {"open", "write", "fsync"}) {
      const Hook hook([&](const char* call, const std::string& path) {
        return std::string(call) == failing && path.ends_with(".trial") ? code : 0;
      });
      const std::string reason = std::generic_category().message(code);
      CHECK_THAT(message_of<IoError>([&] { CheckpointStore(directory.path()); }),
                 ContainsSubstring(directory.path(".trial") + ": cannot ") &&
                     ContainsSubstring(": " + reason));
    }
  }
  CHECK(list_directory(directory.path()) == std::vector<std::string>{"lock"});
}

TEST_CASE("names that are no plain file names are refused before anything is written") {
  const TemporaryDirectory directory;
  const CheckpointStore store(directory.path());
  for (const char* name : {"", ".", "..", "../x", "a/b", ".x", "manifest.json", "a b"}) {
    CheckpointContents bad = contents(1);
    bad.texts[name] = "x";
    CHECK_THROWS_AS(store.save(bad), ArgumentError);
  }
  CheckpointContents twice = contents(1);
  twice.texts["model.safetensors"] = "x";
  CHECK_THROWS_AS(store.save(twice), ArgumentError);
  CheckpointContents negative = contents(1);
  negative.step = -1;
  CHECK_THROWS_AS(store.save(negative), ArgumentError);
  CheckpointContents undefined = contents(1);
  undefined.tensors["model.safetensors"]["w"] = Tensor();
  CHECK_THROWS_AS(store.save(undefined), ArgumentError);
  CHECK(list_directory(directory.path()) == std::vector<std::string>{"lock"});
}
