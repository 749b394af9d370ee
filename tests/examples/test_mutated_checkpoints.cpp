// Checkpoints with damage of every kind, given to the programs: they end with exit status 0 or 1
// and a message, never with a signal. Half of them carry the right checksums, so that the damage
// reaches the readers behind these.
//
// CROCUTA_TEST_CASES=n tries n of them instead of the default number.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <random>

#include "framework/base/file.h"
#include "framework/base/sha256.h"
#include "framework/io/checkpoint_manifest.h"
#include "framework/io/safetensors.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/run_program.h"
#include "tests/support/slow.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using Files = std::map<std::string, std::string>;

class Damage {
 public:
  explicit Damage(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

  // Changes `text` in one to three places. Digits stay out of it where `keep_numbers`: a
  // configuration for a larger model is no damage, and takes its time.
  void apply(std::string& text, bool keep_numbers) {
    for (std::uint64_t i = 0, times = 1 + below(3); i < times && !text.empty(); ++i) {
      const std::size_t at = below(text.size());
      const std::size_t length = std::min<std::size_t>(1 + below(40), text.size() - at);
      switch (below(6)) {
        case 0:
          if (keep_numbers && is_digit(text[at])) break;
          text[at] = byte(keep_numbers);
          break;
        case 1:
          text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
          if (keep_numbers && is_digit(text[at])) text[at] = '?';
          break;
        case 2:
          text.resize(at);
          break;
        case 3:
          if (!keep_numbers) text.erase(at, length);
          break;
        case 4:
          if (!keep_numbers) text.insert(at, text.substr(below(text.size()), length));
          break;
        default:
          text.insert(at, 1, byte(keep_numbers));
      }
    }
  }

 private:
  static bool is_digit(char c) { return c >= '0' && c <= '9'; }
  char byte(bool keep_numbers) {
    static constexpr char kTelling[] = "{}[]\",:-+eE.0123456789\\\n\0\xff";
    const char c =
        below(2) ? kTelling[below(sizeof kTelling)] : static_cast<char>(engine_() & 0xff);
    return keep_numbers && is_digit(c) ? ' ' : c;
  }
  std::mt19937_64 engine_;
};

void write_files(const std::string& directory, const Files& files) {
  for (const auto& [name, text] : files) {
    std::ofstream(directory + "/" + name, std::ios::binary) << text;
  }
}

// The manifest of these files, step and configuration being those of `like`.
std::string manifest_of(const Checkpoint& like, const Files& files) {
  Checkpoint manifest;
  manifest.step = like.step;
  manifest.configuration = like.configuration;
  for (const auto& [name, text] : files) {
    if (name != kManifestName) manifest.files[name] = {text.size(), sha256_hex(text)};
  }
  return manifest_text(manifest);
}

// A checkpoint of a tiny run in `root`, and all its files, the manifest included.
struct Saved {
  Checkpoint checkpoint;
  Files files;

  explicit Saved(const std::string& root) {
    hyena::Options options = tiny_options();
    options.steps = 2;
    options.schedule_steps = 3;
    TinyRun run(options);
    run.train(2);
    CheckpointStore(root).save(run.trainer.contents());
    checkpoint = load_latest(root).value();
    for (const auto& [name, file] : checkpoint.files) {
      files[name] = read_file(checkpoint.path(name), 1 << 20);
    }
    files[kManifestName] = read_file(checkpoint.directory + "/" + kManifestName, 1 << 20);
  }

  // Puts other tensors in place of the model's, with the right checksum.
  void replace_model(const StateDict& tensors) {
    save_safetensors(checkpoint.path("model.safetensors"), tensors);
    files["model.safetensors"] = read_file(checkpoint.path("model.safetensors"), 1 << 20);
    write_files(checkpoint.directory, {{kManifestName, manifest_of(checkpoint, files)}});
  }
};

ProgramResult resume(const std::string& root) {
  return run_program({CROCUTA_TRAIN_HYENA, "--resume", root, "--steps", "3", "--threads", "1",
                      "--device", device_argument()});
}
ProgramResult generate(const std::string& root) {
  return run_program({CROCUTA_GENERATE_HYENA, "--checkpoint", root, "--prompt", "a B => a",
                      "--max-tokens", "1", "--device", device_argument()});
}

}  // namespace

TEST_CASE("a checkpoint of another model is refused by both programs, with all that differs") {
  const TemporaryDirectory folder;
  Saved saved(folder.path("run"));
  const std::string path = saved.checkpoint.path("model.safetensors");
  StateDict tensors = load_safetensors(path).tensors;
  tensors["stranger"] = zeros({2});
  tensors["norm.bias"] = zeros({3});
  tensors["norm.weight"] = zeros({8}, {.dtype = DType::float64});
  tensors.erase("embedding.weight");
  saved.replace_model(tensors);
  for (const ProgramResult& result : {resume(folder.path("run")), generate(folder.path("run"))}) {
    CAPTURE(result.out, result.err);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring("_hyena: error: " + path + ": 'state': expected "));
    for (const char* difference :
         {"missing 'embedding.weight' [6, 8]", "'norm.bias' should have shape [8], has [3]",
          "'norm.weight' should be float32, is float64", "unexpected 'stranger' [2]"}) {
      CHECK_THAT(result.err, ContainsSubstring(difference));
    }
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
  }
}

TEST_CASE("a checkpoint with NaN in its weights is loaded with a warning") {
  const TemporaryDirectory folder;
  Saved saved(folder.path("run"));
  const std::string path = saved.checkpoint.path("model.safetensors");
  StateDict tensors = load_safetensors(path).tensors;
  tensors.at("norm.bias").fill_(std::nan(""));
  saved.replace_model(tensors);
  const std::string warning =
      "_hyena: warning: " + path + ": 1 tensor holds NaN, the first being 'norm.bias'\n";
  const ProgramResult answer = generate(folder.path("run")), training = resume(folder.path("run"));
  CAPTURE(answer.err, training.err);
  CHECK(answer.status == 1);  // nor chosen among what it says
  CHECK_THAT(answer.err, ContainsSubstring(warning) && ContainsSubstring("the logit nan"));
  CHECK(training.status == 1);  // nothing is learned from there
  CHECK_THAT(training.err, ContainsSubstring(warning) &&
                               ContainsSubstring("error: step 3: the loss is nan; parameter "
                                                 "'norm.bias' is the first that holds NaN"));
}

TEST_CASE("damaged checkpoints end the programs with a message, never with a signal") {
  const TemporaryDirectory folder;
  const std::string root = folder.path("run");
  const Saved saved(root);
  const Checkpoint& good = saved.checkpoint;
  const Files& files = saved.files;
  std::vector<std::string> names;
  for (const auto& [name, text] : files) names.push_back(name);
  REQUIRE(names.size() == 5);
  REQUIRE(manifest_of(good, files) == files.at(kManifestName));

  const char* wanted = std::getenv("CROCUTA_TEST_CASES");
  const std::uint64_t cases = wanted ? std::strtoull(wanted, nullptr, 10)
                                     : static_cast<std::uint64_t>(repetitions(200, 40));
  std::map<int, std::uint64_t> ends;
  for (std::uint64_t seed = 0; seed < cases; ++seed) {
    Damage damage(seed);
    const std::string& name = names[damage.below(names.size())];
    Files damaged = files;
    damage.apply(damaged[name], name == "config.json");
    const bool sign = name != kManifestName && damage.below(2) == 0;
    if (sign) damaged[kManifestName] = manifest_of(good, damaged);
    write_files(good.directory, damaged);

    const bool resumed = damage.below(2) == 0;
    const ProgramResult result = resumed ? resume(root) : generate(root);
    INFO("seed " << seed << ": " << name << (sign ? ", signed" : "") << ": " << result.err);
    CHECK((result.status == 0 || result.status == 1));
    CHECK((result.status == 0 || result.err.find("_hyena: error: ") != std::string::npos));
    ++ends[result.status];
    if (resumed && result.status == 0) {  // it went on, and left files of its own
      std::filesystem::remove_all(root);
      std::filesystem::create_directories(good.directory);
    }
  }
  std::printf("%llu checkpoints: %llu used, %llu refused\n", static_cast<unsigned long long>(cases),
              static_cast<unsigned long long>(ends[0]), static_cast<unsigned long long>(ends[1]));
  CHECK(ends[0] > 0);
  CHECK(ends[1] > cases / 2);
}

}  // namespace crocuta::test
