#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "examples/hyena/data/corpus.h"
#include "examples/hyena/tasks/task.h"
#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

using namespace crocuta;
using test::message_of;
using namespace crocuta::hyena;
namespace fs = std::filesystem;

namespace {

// A directory of its own, gone at the end.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("crocuta-corpus-" + std::to_string(::getpid()));
  Folder() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name, std::ios::binary) << text;
    return (path / name).string();
  }
};

Corpus numbered(std::int64_t count) {
  Corpus corpus;
  for (std::int64_t i = 0; i < count; ++i)
    corpus.tokens.push_back(static_cast<std::uint8_t>(i % 251));
  return corpus;
}

}  // namespace

TEST_CASE("files that cannot be read are named") {
  const Folder folder;
  const auto refusal = [](const std::string& path) {
    return message_of<IoError>([&] { read_bytes({path}); });
  };
  const std::string none = (folder.path / "none").string(), all = folder.path.string();
  REQUIRE(refusal(none) == "data: '" + none + "': cannot be opened: No such file or directory");
  REQUIRE(refusal(all) == "data: '" + all + "': is a directory; name the files in it");
  const std::string fifo = (folder.path / "fifo").string();
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  REQUIRE(refusal(fifo) == "data: '" + fifo + "': is not a regular file");
  const std::string empty = folder.write("empty", ""), gzip = folder.write("x.gz", "\x1f\x8b");
  REQUIRE(message_of<FormatError>([&] { read_bytes({empty}); }) ==
          "data: '" + empty + "': is empty");
  REQUIRE(message_of<FormatError>([&] { read_fasta({gzip}); }) ==
          "fasta: '" + gzip + "': line 1: byte 0x1f; gzip? decompress first");
}

TEST_CASE("a file named again, however it is named, is left out") {
  const Folder folder;
  const std::string a = folder.write("a", ">x\nACGT\n"), b = folder.write("b", ">y\nGGG\n");
  const std::string symbolic = (folder.path / "symbolic").string();
  const std::string hard = (folder.path / "hard").string();
  fs::create_symlink(a, symbolic);
  fs::create_hard_link(a, hard);
  const std::string path = (folder.path / "." / ".." / folder.path.filename() / "a").string();
  for (const auto read : {read_fasta, read_bytes}) {
    const Corpus once = read({a, b});
    REQUIRE(once.warnings.empty());
    for (const std::string& again : {a, path, symbolic, hard}) {
      CAPTURE(again);
      const Corpus corpus = read({a, b, again});
      REQUIRE(corpus.tokens == once.tokens);
      REQUIRE(corpus.sources.size() == 2);
      REQUIRE(corpus.warnings == std::vector<std::string>{"data: '" + again + "': is '" + a +
                                                          "' once more; left out"});
    }
  }
}

TEST_CASE("equal contents under two names are taken, with a warning") {
  const Folder folder;
  const std::string a = folder.write("a", ">x\nACGT\n"), b = folder.write("b", ">y\nacg\nu\n");
  const std::string c = folder.write("c", ">x\nACGT\n");
  const auto warning = [&](const std::string& name) {
    return "data: '" + name + "': has the contents of '" + a +
           "'; both are taken, so what is held out may be trained on";
  };
  // b is the same genome written otherwise, but another text.
  const Corpus genome = read_fasta({a, b, c});
  REQUIRE(genome.warnings == std::vector<std::string>{warning(b), warning(c)});
  REQUIRE(genome.size() == 3 * 4 + 2);
  const Corpus text = read_bytes({a, b, c});
  REQUIRE(text.warnings == std::vector<std::string>{warning(c)});
  REQUIRE(text.size() == 8 + 9 + 8);
}

TEST_CASE("a sequence that is given twice is taken, with a warning") {
  const Folder folder;
  std::string one, two;
  for (int i = 0; i < 300; ++i) {
    one += "ACGT"[i * i % 7 % 4];
    two += "ACGT"[i * i % 11 % 4];
  }
  const std::string end = "; all are taken, so what is held out may be trained on";
  const std::string a = folder.write("a", ">1\n" + one + "\n>2\n" + two + "\n>3\n" + one);
  REQUIRE(read_fasta({a}).warnings ==
          std::vector<std::string>{
              "data: '" + a + "': 1 sequence (300 bases) given before, the first in line 5" + end});
  const std::string b = folder.write("b", ">1\n" + one + "\n>2\nACG\n"),
                    c = folder.write("c",
                                     ">4\nACG\n>5\n" + one.substr(0, 200) + "\n" + one.substr(200));
  REQUIRE(read_fasta({b, c}).warnings ==
          std::vector<std::string>{
              "data: '" + c + "': 1 sequence (300 bases) given before, the first in line 3" + end});
  REQUIRE(read_fasta({b}).warnings.empty());
}

TEST_CASE("several files are joined, genomes with N between them") {
  const Folder folder;
  const std::string a = folder.write("a", "one"), b = folder.write("b", "two");
  const Corpus corpus = read_bytes({a, b});
  REQUIRE(std::string(corpus.tokens.begin(), corpus.tokens.end()) == "onetwo");

  const Corpus genome =
      read_fasta({folder.write("x.fa", ">x\nAC\n"), folder.write("y.fa", ">y\nGT")});
  REQUIRE(genome.tokens == std::vector<std::uint8_t>{0, 1, 4, 2, 3});
  REQUIRE(genome.hash() != corpus.hash());
}

TEST_CASE("a file larger than one piece is read whole") {
  const Folder folder;
  const std::string text(3'000'000, 'A');
  REQUIRE(read_bytes({folder.write("big", text)}).size() == 3'000'000);
  const std::string line = folder.write("line.fa", ">x\n" + text);
  REQUIRE(read_fasta({line}).size() == 3'000'000);
  std::size_t largest = 0;  // what is held at once, however long a line is
  read_source(line, [&](std::string_view piece) { largest = std::max(largest, piece.size()); });
  REQUIRE(largest == 1 << 20);
}

TEST_CASE("a data file that changes while it is in use is an error") {
  const Folder folder;
  const std::string a = folder.write("a", "some text");
  Corpus corpus = read_bytes({a});
  require_unchanged(corpus.sources);
  const auto changed = [&] {
    return message_of<IoError>([&] { require_unchanged(corpus.sources); });
  };
  SECTION("truncated") {
    fs::resize_file(a, 4);
    REQUIRE(changed() == "data: '" + a + "': changed while in use: it had 9 bytes, now it has 4");
  }
  SECTION("rewritten at the same size") {
    folder.write("a", "same text");
    corpus.sources[0].modified -= 1;  // the clock of a file system may be coarse
    REQUIRE(changed() ==
            "data: '" + a + "': changed while in use: its contents are not what was read");
  }
  SECTION("replaced by another file of the same size") {
    fs::rename(folder.write("b", "more text"), a);
    REQUIRE(changed() ==
            "data: '" + a + "': changed while in use: its contents are not what was read");
  }
  SECTION("removed") {
    fs::remove(a);
    REQUIRE(changed() == "data: '" + a + "': changed while in use: No such file or directory");
  }
  SECTION("truncated in the middle of reading") {
    const std::string big = folder.write("big", std::string(3'000'000, 'x'));
    REQUIRE_THAT(message_of<IoError>([&] {
                   read_source(big, [&](std::string_view) { fs::resize_file(big, 10); });
                 }),
                 ContainsSubstring("changed while in use: it had 3000000 bytes, now it has "));
  }
}

TEST_CASE("a data file that is touched, or replaced by its like, is what it was") {
  const Folder folder;
  const std::string a = folder.write("a", "some text");
  Corpus corpus = read_bytes({a});
  fs::last_write_time(a, fs::last_write_time(a) + std::chrono::hours(1));
  REQUIRE_NOTHROW(require_unchanged(corpus.sources));
  const std::int64_t touched = corpus.sources[0].modified;
  fs::rename(folder.write("b", "some text"), a);
  REQUIRE_NOTHROW(require_unchanged(corpus.sources));
  REQUIRE(corpus.sources[0].modified != touched);  // so that it is not read again every time
  folder.write("a", "same text");
  REQUIRE_THROWS_AS(require_unchanged(corpus.sources), IoError);
}

TEST_CASE("the held-out region is the contiguous end, and too little data is said in numbers") {
  Corpus corpus = numbered(1000);
  hold_out(corpus, 0.1, 64);
  REQUIRE(corpus.train_end == 900);
  REQUIRE_THROWS_AS(hold_out(corpus, 1.0, 64), ArgumentError);
  REQUIRE_THROWS_AS(hold_out(corpus, 0.0, 64), ArgumentError);
  hold_out(corpus, 0.1, 899);
  REQUIRE_THROWS_AS(hold_out(corpus, 0.1, 900), FormatError);
  REQUIRE_THROWS_WITH(hold_out(corpus, 0.1, 900),
                      ContainsSubstring("at least seq_len + 1 = 901 tokens to train on, got 900"));
}

TEST_CASE("training windows stay in the training region and reach all of it") {
  Corpus corpus = numbered(100);
  hold_out(corpus, 0.2, 10);
  std::set<std::int64_t> begins;
  for (std::int64_t i = 0; i < 3000; ++i) {
    const Window w = train_window(corpus, 1, i);
    REQUIRE(w.targets == 10);
    begins.insert(w.begin);
    REQUIRE(train_window(corpus, 1, i).begin == w.begin);
  }
  // The last target of a window that begins at 69 is token 79, the last one before the held-out 80.
  REQUIRE(*begins.begin() == 0);
  REQUIRE(*begins.rbegin() == 69);
  REQUIRE(begins.size() == 70);
}

TEST_CASE("windows with nothing to predict are not drawn, all others alike") {
  Corpus corpus = numbered(400);
  corpus.alphabet = 4;
  const std::set<std::int64_t> known = {0, 60, 61, 62, 90, 199, 300, 399};
  for (std::int64_t i = 0; i < 400; ++i) {
    corpus.tokens[static_cast<std::size_t>(i)] = known.count(i) == 1 ? 3 : 4;
  }
  hold_out(corpus, 0.5, 10);
  // By definition: windows in the training region, one of whose targets is known.
  std::set<std::int64_t> expected;
  for (std::int64_t begin = 0; begin + 10 < 200; ++begin) {
    for (std::int64_t t = begin + 1; t <= begin + 10; ++t) {
      if (known.count(t) == 1) expected.insert(begin);
    }
  }
  REQUIRE(corpus.train_place_count == static_cast<std::int64_t>(expected.size()));
  std::map<std::int64_t, int> drawn;
  constexpr int kDraws = 20'000;
  for (std::int64_t i = 0; i < kDraws; ++i) ++drawn[train_window(corpus, 1, i).begin];
  std::set<std::int64_t> begins;
  const double mean = static_cast<double>(kDraws) / static_cast<double>(expected.size());
  for (const auto& [begin, times] : drawn) {
    begins.insert(begin);
    CHECK(std::abs(times - mean) < 6 * std::sqrt(mean));  // the seed is fixed: no luck is needed
  }
  REQUIRE(begins == expected);
  // Of 20 test windows two have a known target: tokens 300 and 399.
  REQUIRE(test_window_count(corpus) == 2);
  REQUIRE(test_window(corpus, 0).begin == 299);
  REQUIRE(test_window(corpus, 1).begin == 389);
}

TEST_CASE("a region with nothing to predict is an error") {
  const Folder folder;
  const std::string bases(200, 'A'), unknown(200, 'N');
  const auto refusal = [&](const std::string& sequence) {
    Corpus corpus = read_fasta({folder.write("x.fa", ">x\n" + sequence)});
    return message_of<FormatError>([&] { hold_out(corpus, 0.5, 10); });
  };
  REQUIRE(refusal(bases + unknown) ==
          "data: nothing to predict in the part that is held out: all its 200 tokens (of 400) are "
          "unknown, like N; try a larger heldout");
  REQUIRE(
      refusal(unknown + bases) ==
      "data: nothing to predict in the part that is trained on: all its 200 tokens (of 400) are "
      "unknown, like N; try other files");
  // Token 0 is no window's target.
  REQUIRE_THAT(refusal("A" + unknown + bases.substr(1)), ContainsSubstring("trained on"));
}

TEST_CASE("a target is the token after its id") {
  const Folder folder;
  std::string text;
  for (int i = 0; i < 400; ++i) text += static_cast<char>('a' + i % 26);
  Options options;
  options.task = "text";
  options.data = {folder.write("text", text)};
  options.seq_len = 20;
  const std::unique_ptr<Task> task = make_task(options);
  const Batch train = task->train_batch(0, 3), test = task->test_batch(0, 1);
  for (const Batch* batch : {&train, &test}) {
    REQUIRE(batch->scored() == batch->rows * 20);
    for (std::size_t i = 0; i < batch->ids.size(); ++i) {
      REQUIRE(batch->targets[i] == 'a' + (batch->ids[i] - 'a' + 1) % 26);
      if (i % 20 != 0) REQUIRE(batch->ids[i] == batch->targets[i - 1]);
    }
  }
}

TEST_CASE("an unknown base is read, but is nobody's target") {
  const Folder folder;
  std::string bases = ">x\n";
  for (int i = 0; i < 400; ++i) bases += "ACNGTNN"[i % 7];
  Options options;
  options.task = "dna";
  options.data = {folder.write("x.fa", bases)};
  options.seq_len = 20;
  const std::unique_ptr<Task> task = make_task(options);
  const std::int64_t first = task->codec().predicted().first;
  const std::int64_t unknown = first + task->codec().predicted().count;
  const Batch train = task->train_batch(0, 3), test = task->test_batch(0, 1);
  for (const Batch* batch : {&train, &test}) {
    std::int64_t left_out = 0;
    for (std::size_t i = 0; i + 1 < batch->ids.size(); ++i) {
      if (i % 20 == 19) continue;  // the next token is not among the ids
      const std::int64_t next = batch->ids[i + 1], target = batch->targets[i];
      REQUIRE(next <= unknown);
      REQUIRE(target == (next == unknown ? kIgnored : next));
      left_out += next == unknown;
    }
    CHECK(left_out >= batch->rows * 8);  // three in seven are unknown
  }
}

TEST_CASE("test windows score each held-out token exactly once") {
  for (const std::int64_t length : {1, 7, 10, 30}) {
    Corpus corpus = numbered(100);
    hold_out(corpus, 0.2, length);
    std::multiset<std::int64_t> scored;
    for (std::int64_t i = 0; i < test_window_count(corpus); ++i) {
      const Window w = test_window(corpus, i);
      REQUIRE(w.targets >= 1);
      for (std::int64_t t = 0; t < w.targets; ++t) scored.insert(w.begin + 1 + t);
    }
    std::multiset<std::int64_t> expected;
    for (std::int64_t i = 80; i < 100; ++i) expected.insert(i);
    REQUIRE(scored == expected);
  }
}
