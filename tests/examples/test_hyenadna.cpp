// HyenaDNA's format, beside what PyTorch computed with the same files
// (tests/golden/make_hyenadna.py).
#include "examples/hyena/app/hyenadna.h"

#include <filesystem>
#include <fstream>

#include "examples/hyena/trainer.h"
#include "framework/base/error.h"
#include "framework/io/safetensors.h"
#include "framework/nn/optimizer.h"
#include "framework/ops/ops.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/run_program.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

namespace fs = std::filesystem;
const std::string kGolden = CROCUTA_SOURCE_DIR "/tests/golden/hyenadna";

struct Case {
  std::string name;
  double shift;
  double bound;  // float32 parameters are computed with in float32
};
const std::vector<Case> kCases = {{"small", 0.05, 1e-12}, {"wide", 0, 2e-5}};

// An imported model and what it should give.
struct Golden {
  explicit Golden(const Case& c)
      : name(c.name + "/"),
        imported(hyena::read_hyenadna(kGolden + "/" + c.name, c.shift)),
        expected(load_safetensors(kGolden + "/results.safetensors").tensors),
        model(hyena::model_options(imported.options)) {
    model.load_state_dict(imported.parameters);
  }
  Tensor get(const std::string& what) const { return expected.at(name + what); }
  Tensor ids() const { return get("ids").to(default_device()); }
  // Their names and shapes for something that our parameters are named after.
  StateDict theirs(const StateDict& ours) const {
    return hyena::to_hyenadna(imported.options, ours).tensors;
  }

  std::string name;
  hyena::HyenaDna imported;
  StateDict expected;
  HyenaLM model;
};

double off(const Tensor& a, const Tensor& b) {
  REQUIRE(a.shape() == b.shape());
  const Tensor difference = a.to(Device::cpu()).to(DType::float64) - b.to(DType::float64);
  return max(abs(difference)).item() / std::max(1e-3, max(abs(b)).item());
}

// What a training step's tensors should be, by their names; the head of a tied model is the embedding.
void check_all(const Golden& golden, const StateDict& ours, const std::string& what, double bound) {
  const StateDict theirs = golden.theirs(ours);
  int compared = 0;
  for (const auto& [name, tensor] : theirs) {
    const auto wanted = golden.expected.find(golden.name + what + name);
    if (wanted == golden.expected.end()) continue;
    CAPTURE(name);
    CHECK(off(tensor, wanted->second) <= bound);
    ++compared;
  }
  CHECK(compared >= static_cast<int>(ours.size()));
}

}  // namespace

TEST_CASE("an imported model gives PyTorch's logits, hidden states and gradients") {
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    Golden golden(c);
    golden.model.eval();
    CHECK(golden.imported.options.tied_head == (c.name == "small"));
    const Tensor logits = golden.model.forward(golden.ids());
    CHECK(off(logits.detach(), golden.get("logits")) <= c.bound);
    {
      const NoGrad no_grad;
      const Tensor hidden = mean(golden.model.hidden(golden.ids()), 1);
      CHECK(off(hidden, golden.get("hidden_mean")) <= c.bound);
      State state = golden.model.start(golden.ids().size(0));
      const Tensor first = golden.model.extend(narrow(golden.ids(), 1, 0, 7), state);
      const Tensor rest =
          golden.model.extend(narrow(golden.ids(), 1, 7, golden.ids().size(1) - 7), state);
      CHECK(off(cat({first, rest}, 1), golden.get("logits")) <= c.bound);
    }
    logits.backward(golden.get("dlogits").to(logits.options()));
    StateDict gradients;
    for (const auto& [name, parameter] : golden.model.named_parameters()) {
      gradients[name] = parameter.grad();
    }
    check_all(golden, gradients, "grad.", 30 * c.bound);
  }
}

TEST_CASE("twenty steps of fine-tuning end where PyTorch's do") {
  Golden golden(kCases[0]);
  AdamW optimizer(
      golden.model.named_parameters(),
      {.learning_rate = 1e-3, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-4, .weight_decay = 0});
  const std::vector<double> losses = golden.get("losses").to_vector<double>();
  const Tensor targets = golden.get("targets").to(default_device());
  for (const double expected : losses) {
    const Tensor logits = golden.model.forward(golden.ids());
    const Tensor loss = cross_entropy(logits, targets);
    CHECK(loss.item() == Approx(expected).epsilon(1e-10));
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
  }
  check_all(golden, golden.model.state_dict(), "trained.", 1e-8);
}

TEST_CASE("what is exported is what was imported, value by value") {
  for (const Case& c : kCases) {
    CAPTURE(c.name);
    const hyena::HyenaDna model = hyena::read_hyenadna(kGolden + "/" + c.name, c.shift);
    const StateDict theirs =
        load_safetensors(kGolden + "/" + c.name + "/model.safetensors").tensors;
    const StateDict again = hyena::to_hyenadna(model.options, model.parameters).tensors;
    REQUIRE(again.size() == theirs.size());
    for (const auto& [name, tensor] : theirs) {
      CAPTURE(name);
      const bool formula = name.find("deltas") != name.npos || name.find("pos_emb") != name.npos;
      const Tensor mine = again.at(name);
      CHECK(mine.shape() == tensor.shape());
      CHECK((formula ? off(mine, tensor) <= 1e-6 : equal(mine, tensor)));
    }
  }
}

TEST_CASE("an imported model is a checkpoint: it generates, and is trained on") {
  const TemporaryDirectory folder;
  const std::string imported = folder.path("imported"), run = folder.path("run");
  const ProgramResult result = run_program({CROCUTA_IMPORT_HYENADNA, "--from", kGolden + "/wide",
                                            "--out", imported, "--filter-shift", "0"});
  REQUIRE(result.err == "");
  REQUIRE(result.status == 0);
  CHECK(result.out == "Imported 2292 parameters into " + imported + "/step-00000000/\n");
  CHECK(run_program({CROCUTA_IMPORT_HYENADNA, "--from", kGolden + "/wide", "--out", imported})
            .status == 2);  // there is one already

  const ProgramResult text = run_program({CROCUTA_GENERATE_HYENA, "--checkpoint", imported,
                                          "--prompt", "ACGTN", "--max-tokens", "70"});
  CHECK(text.status == 0);
  CHECK(text.out.size() == 5 + 70 + 1);
  CHECK(text.out.find_first_not_of("ACGT\n", 5) == text.out.npos);

  std::ofstream(folder.path("genome.fa")) << ">g\n"
                                          <<
      [] {
        std::string bases;
        for (int i = 0; i < 3000; ++i) bases += "ACGT"[i * i % 7 % 4];
        return bases;
      }() << '\n';
  const auto train = [&](std::vector<std::string> more) {
    std::vector<std::string> all = {CROCUTA_TRAIN_HYENA, "--steps",        "3", "--batch-size", "2",
                                    "--device",          device_argument()};
    all.insert(all.end(), more.begin(), more.end());
    return run_program(all);
  };
  const ProgramResult tuned =
      train({"--init-from", imported, "--data", folder.path("genome.fa"), "--out", run, "--set",
             R"(freeze=["blocks.0.mixer.filter.*", "embedding.*"])"});
  CAPTURE(tuned.err);
  REQUIRE(tuned.status == 0);
  const StateDict before = load_safetensors(imported + "/step-00000000/model.safetensors").tensors;
  const StateDict after = load_safetensors(run + "/step-00000003/model.safetensors").tensors;
  for (const auto& [name, tensor] : after) {
    CAPTURE(name);
    const bool frozen =
        name.starts_with("blocks.0.mixer.filter.") || name.starts_with("embedding.");
    CHECK(equal(tensor, before.at(name)) == frozen);
  }
  CHECK(train({"--resume", run, "--steps", "4"}).status == 2);  // a schedule that ends at 3
  CHECK(train({"--init-from", imported, "--resume", run}).status == 2);
  CHECK(train({"--init-from", imported, "--data", folder.path("genome.fa"), "--out",
               folder.path("none"), "--set", "freeze=[\"blocks.7.*\"]"})
            .status == 2);

  // It goes back, trained on.
  const ProgramResult back =
      run_program({CROCUTA_EXPORT_HYENADNA, "--checkpoint", run, "--out", folder.path("back")});
  CAPTURE(back.err);
  REQUIRE(back.status == 0);
  const hyena::HyenaDna again = hyena::read_hyenadna(folder.path("back"), 0);
  for (const auto& [name, tensor] : again.parameters) CHECK(equal(tensor, after.at(name)));
}

TEST_CASE("a model of another program's making is taken without a manifest") {
  const TemporaryDirectory folder;
  const hyena::HyenaDna model = hyena::read_hyenadna(kGolden + "/small", 0.05);
  fs::create_directory(folder.path("plain"));
  save_safetensors(folder.path("plain/model.safetensors"), model.parameters);
  std::ofstream(folder.path("plain/config.json")) << hyena::run_config(model.options).dump();
  const ProgramResult text =
      run_program({CROCUTA_GENERATE_HYENA, "--checkpoint", folder.path("plain"), "--prompt", "A",
                   "--max-tokens", "3"});
  CAPTURE(text.err);
  CHECK(text.status == 0);
  CHECK(text.out.size() == 5);
}

TEST_CASE("a file that is not such a model is refused in one line, and nothing is written") {
  const TemporaryDirectory folder;
  const std::string bad = folder.path("bad"), out = folder.path("out");
  const auto check = [&](const std::string& wanted) {
    const ProgramResult result =
        run_program({CROCUTA_IMPORT_HYENADNA, "--from", bad, "--out", out});
    CAPTURE(result.err);
    CHECK(result.status == 1);
    CHECK_THAT(result.err, ContainsSubstring(wanted));
    CHECK(std::count(result.err.begin(), result.err.end(), '\n') == 1);
    CHECK_FALSE(fs::exists(out));
  };
  const auto with_tensors = [&](const std::function<void(StateDict&)>& change,
                                const std::string& wanted) {
    fs::remove_all(bad);
    fs::copy(kGolden + "/small", bad);
    StateDict tensors = load_safetensors(bad + "/model.safetensors").tensors;
    change(tensors);
    save_safetensors(bad + "/model.safetensors", tensors);
    check(wanted);
  };
  const auto with_config = [&](const std::string& from, const std::string& to,
                               const std::string& wanted) {
    fs::remove_all(bad);
    fs::copy(kGolden + "/small", bad);
    std::ifstream in(bad + "/config.json");
    std::string text{std::istreambuf_iterator<char>(in), {}};
    REQUIRE(text.find(from) != text.npos);
    text.replace(text.find(from), from.size(), to);
    std::ofstream(bad + "/config.json") << text;
    check(wanted);
  };
  const std::string at = "hyena.backbone.layers.1.mixer.";
  with_tensors([&](StateDict& t) { t.erase(at + "in_proj.weight"); },
               "missing '" + at + "in_proj.weight' [18, 6]");
  with_tensors([&](StateDict& t) { t["extra"] = ones({2}); }, "unexpected 'extra' [2]");
  with_tensors(
      [&](StateDict& t) {
        t["lm_head.weight"] = ones({16, 5});
      },
      "'lm_head.weight' should have shape [16, 6], has [16, 5]");
  with_tensors(
      [&](StateDict& t) {
        t["lm_head.weight"] = zeros({16, 6}, {.dtype = DType::int64});
      },
      "should hold floating-point numbers, is int64");
  with_tensors(
      [&](StateDict& t) {
        Tensor& z = t[at + "filter_fn.pos_emb.z"];
        z = z + 1e-3;
      },
      "pos_emb.z' differs from its formula by 0.001");
  with_config("\"hyena_order\": 2", "\"hyena_order\": 3", "'hyena_order': expected 2, got 3");
  with_config("\"d_model\": 6", "\"d_model\": null", "'d_model'");
  with_config("\"emb_dim\": 5", "\"emb_dim\": 4", "'emb_dim': expected an odd number");
  with_config("\"vocab_size\": 12", "\"vocab_size\": 50257", "'vocab_size': expected 12");
  with_config("{", "", "config.json");

  fs::remove_all(bad);
  fs::copy(kGolden + "/small", bad);
  std::ofstream(bad + "/model.safetensors") << "\x80\x02}q\x01(X\x0a";  // a pickle
  check("model.safetensors");
  fs::remove(bad + "/model.safetensors");
  check("model.safetensors");
}

}  // namespace crocuta::test
