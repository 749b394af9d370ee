#include <cerrno>
#include <cmath>
#include <fstream>

#include "examples/hyena/app/session.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/data/draws.h"
#include "examples/hyena/data/fasta.h"
#include "framework/ops/ops.h"
#include "framework/tensor/random.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/bits.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/checkpoints.h"
#include "tests/support/slow.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

using hyena::Options;

double largest_relative_difference(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  double largest = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]) / std::abs(b[i]));
  }
  return largest;
}

Checkpoint save(const TinyRun& run, const std::string& root) {
  CheckpointStore(root).save(run.trainer.contents());
  return load_latest(root).value();
}

}  // namespace

TEST_CASE("training reaches the entropy of a source that is known") {
  // A base repeats the one two places back with probability 0.91, else is one of the other three:
  // 0.58 bits per base for who knows the rule, 2 bits for who does not.
  if (slow_here()) SKIP_TEST("training to an entropy takes minutes where all is slow");
  const TemporaryDirectory folder;
  constexpr std::int64_t kBases = 20'000, kHeldOut = 2'000;
  hyena::Draws draws(1, hyena::Purpose::window, 0);
  std::string bases = "AC";
  double bits = 0;  // of the rule on the held-out region
  for (std::int64_t i = 2; i < kBases; ++i) {
    const std::uint64_t draw = draws.below(100);
    const std::size_t before = hyena::kBases.find(bases[bases.size() - 2]);
    bases += hyena::kBases[(before + (draw < 91 ? 0 : 1 + draw % 3)) % 4];
    if (i >= kBases - kHeldOut) bits -= std::log2(draw < 91 ? 0.91 : 0.03) / kHeldOut;
  }
  std::ofstream(folder.path("source.fa")) << ">source\n" << bases << "\n";

  Options o = tiny_options();
  o.task = "dna";
  o.data = {folder.path("source.fa")};
  o.seq_len = 64;
  o.model.d_model = 16;
  o.batch_size = 16;
  o.steps = o.schedule_steps = 400;
  o.learning_rate = 1e-2;
  TinyRun run(o);
  const auto bits_of = [&] {
    const hyena::Evaluation e = run.trainer.evaluate(run.task->test_rows());
    CHECK(e.scored == kHeldOut);
    return e.nats / std::log(2.0);
  };
  CHECK(bits_of() > 1.9);
  run.train(o.steps);
  // Who misses the rule needs 3.8 times its bits. Of seeds 0 to 9, with products by three of OpenBLAS's
  // kernels (ours have the same bits on every CPU), all reached 1.046 to 1.054 times its bits, and 1.058 after 300 steps.
  const double reached = bits_of();
  CHECK(reached < 1.2 * bits);
  // Nobody who has not seen the held-out region beats the rule there by n bits in all but with
  // probability 2^-n, since the ratio of the two likelihoods is 1 on average (Markov's inequality).
  CHECK(reached * kHeldOut > bits * kHeldOut - 20);
}

TEST_CASE("weight decay shrinks the weights it is for, and leaves all else to the gradient") {
  Options o = tiny_options();
  o.model.dtype = DType::float64;
  o.weight_decay = 0;
  TinyRun plain(o);
  o.weight_decay = 0.5;
  TinyRun decayed(o);
  StateDict start;
  for (const auto& [name, tensor] : plain.trainer.model().state_dict()) {
    start[name] = tensor.detach().clone();
  }
  const double shrunk = plain.trainer.step().learning_rate * o.weight_decay;
  decayed.train(1);
  const StateDict without = plain.trainer.model().state_dict();
  const HyenaLM::Groups groups = decayed.trainer.model().parameter_groups();
  CHECK(!groups.decay.empty());
  for (const auto& [name, tensor] : groups.decay) {
    CAPTURE(name);
    const auto got = tensor.to_vector<double>(), from = start.at(name).to_vector<double>(),
               kept = without.at(name).to_vector<double>();
    double worst = 0;
    for (std::size_t i = 0; i < got.size(); ++i) {
      worst = std::max(worst, std::abs(got[i] - (kept[i] - shrunk * from[i])));
    }
    CHECK(worst < 1e-15);  // all numbers are below 1
  }
  for (const auto& [name, tensor] : groups.no_decay) {
    CAPTURE(name);
    CHECK(same_bits(tensor, without.at(name)));
  }
}

TEST_CASE("the same seed gives the same run, another seed another") {
  Options o = tiny_options();
  TinyRun a(o), b(o);
  CHECK(a.train(10) == b.train(10));
  CHECK(a.state() == b.state());
  o.seed = 1;
  CHECK(TinyRun(o).train(1) != TinyRun(tiny_options()).train(1));
}

TEST_CASE("a run stopped at any step and resumed is the run that never stopped, bit for bit") {
  const TemporaryDirectory folder;
  Options o = tiny_options();
  o.model.dropout = 0.2;  // so that random state matters too
  TinyRun whole(o);
  std::vector<double> losses = whole.train(12);
  for (const std::int64_t stop : {0, 1, 2, 5, 11, 12}) {
    TinyRun first(o);
    first.train(stop);
    const Checkpoint checkpoint = save(first, folder.path(std::to_string(stop)));
    TinyRun second(o);
    default_generator() = {99, 99};  // whatever was there before
    second.trainer.restore(checkpoint);
    CHECK(second.trainer.steps_done() == stop);
    CHECK(second.train(12 - stop) == std::vector<double>(losses.begin() + stop, losses.end()));
    CHECK(second.state() == whole.state());
  }
}

TEST_CASE("the same holds on two ranks, and one rank goes on where two stopped") {
  const TemporaryDirectory folder;
  Options o = tiny_options(), two = o;
  two.cp = 2;
  const std::vector<double> whole = losses_on(2, two, 8);
  run_ranks(2, [&](const ProcessGroup& world) {
    TinyRun run(two, world);
    run.train(5);
    if (world.rank() == 0) CheckpointStore(folder.path()).save(run.trainer.contents());
  });
  const Checkpoint checkpoint = load_latest(folder.path()).value();
  std::vector<double> resumed;
  run_ranks(2, [&](const ProcessGroup& world) {
    TinyRun run(two, world);
    run.trainer.restore(checkpoint);
    run.trainer.check_ranks_agree();
    const auto mine = run.train(3);
    if (world.rank() == 0) resumed = mine;
  });
  const std::vector<double> last(whole.begin() + 5, whole.end());
  CHECK(resumed == last);

  TinyRun alone(o);
  alone.trainer.restore(checkpoint);
  CHECK(largest_relative_difference(alone.train(3), last) < 1e-5);
}

TEST_CASE("losses do not depend on how many ranks share the work") {
  Options o = tiny_options();
  const std::int64_t steps = slow_here() ? 4 : 12;
  for (const DType dtype : {DType::float32, DType::float64}) {
    o.model.dtype = dtype;
    o.cp = 1;
    const double bound = dtype == DType::float64 ? 1e-11 : 1e-5;
    const std::vector<double> one = losses_on(1, o, steps);
    CHECK(largest_relative_difference(losses_on(2, o, steps), one) < bound);  // data parallel
    CHECK(largest_relative_difference(losses_on(3, o, steps), one) < bound);  // rows do not divide
    for (const int cp : {2, 4}) {
      o.cp = cp;
      CHECK(largest_relative_difference(losses_on(cp, o, steps), one) < bound);
    }
    o.cp = 2;
    CHECK(largest_relative_difference(losses_on(4, o, steps), one) < bound);  // both
  }
}

TEST_CASE("in float64, 100 steps on 2 and 4 context-parallel ranks stay within 1e-11 of one") {
  Options o = tiny_options();
  o.model.dtype = DType::float64;
  const std::int64_t steps = slow_here() ? 8 : 100;
  o.steps = o.schedule_steps = steps;
  const std::vector<double> one = losses_on(1, o, steps);
  Options still = o;
  still.learning_rate = 1e-12;
  // Parameters do move: by far more than what is allowed below.
  CHECK(largest_relative_difference(losses_on(1, still, steps), one) > 1e-6);
  for (const int cp : {2, 4}) {
    o.cp = cp;
    CHECK(largest_relative_difference(losses_on(cp, o, steps), one) < 1e-11);
  }
}

TEST_CASE("dropout drops the same elements however many ranks share the work") {
  Options o = tiny_options();
  o.model.dropout = 0.3;
  o.model.dtype = DType::float64;
  const std::vector<double> one = losses_on(1, o, 5);
  CHECK(largest_relative_difference(losses_on(2, o, 5), one) < 1e-11);  // each has other sequences
  CHECK(largest_relative_difference(losses_on(3, o, 5), one) < 1e-11);
  o.cp = 2;
  CHECK(largest_relative_difference(losses_on(4, o, 5), one) < 1e-11);
}

TEST_CASE("a NaN in the weights is caught within the step, named, and changes nothing") {
  const Options o = tiny_options();
  for (const int ranks : {1, 2}) {
    Options shared = o;
    shared.cp = ranks;
    run_ranks(ranks, [&](const ProcessGroup& world) {
      TinyRun run(shared, world);
      run.train(2);
      const StateDict weights = run.trainer.model().state_dict();
      weights.at("blocks.1.mlp.fc1.bias").detach().fill_(std::nan(""));
      const std::vector<float> before = weights.at("embedding.weight").to_vector();
      const hyena::Trainer::Step step = run.trainer.step();
      if (world.rank() == 0) {
        CHECK(std::isnan(step.loss));
        CHECK(step.trouble ==
              "step 3: the loss is nan; parameter 'blocks.1.mlp.fc1.bias' is the first that holds "
              "NaN or infinity");
        CHECK(weights.at("embedding.weight").to_vector() == before);
      }
    });
  }
}

TEST_CASE("a run gives up after 20 steps left out in a row, not after 20 here and there") {
  const TemporaryDirectory folder;
  Options o = tiny_options();
  o.task = "dna";
  o.data = {folder.path("x.fa")};
  o.seq_len = 8;
  o.batch_size = 1;
  o.heldout = 0.2;
  o.on_nan = "skip";
  o.steps = o.schedule_steps = 150;
  // Of the windows for training one in three reads an N, of those for testing none.
  std::string text = ">x\n";
  for (int i = 0; i < 1000; ++i) text += i % 25 == 0 && i < 790 ? 'N' : "ACCTG"[i % 5];
  write(o.data[0], text);
  const std::string root = folder.path("run");
  {
    TinyRun run(o);
    const TokenRange bases = run.task->codec().predicted();
    const Tensor table = run.trainer.model().state_dict().at("embedding.weight").detach();
    select(table, 0, bases.first + bases.count).fill_(NAN);
    save(run, root);
  }
  const hyena::RunPlan plan{.options = o, .root = root, .checkpoint = load_latest(root)};
  Warnings warnings;
  CHECK(hyena::run_session(ProcessGroup(), plan) == 0);
  CHECK(load_latest(root)->step == 150);
  CHECK(std::count_if(warnings.lines.begin(), warnings.lines.end(), [](const std::string& line) {
          return line.ends_with("; step left out");
        }) > 20);
}

TEST_CASE("a loss that is infinite although all parameters are finite is told apart") {
  TinyRun run(tiny_options());
  const StateDict weights = run.trainer.model().state_dict();
  weights.at("norm.weight").detach().fill_(3e38);
  weights.at("embedding.weight").detach().fill_(3e38);
  CHECK_THAT(run.trainer.step().trouble,
             ContainsSubstring("all parameters are finite, so it overflowed on the way"));
}

TEST_CASE("a checkpoint of other data or another model is refused, and changes nothing") {
  const TemporaryDirectory folder;
  TinyRun run(tiny_options());
  run.train(2);
  const Checkpoint checkpoint = save(run, folder.path());
  Options wider = tiny_options();
  wider.model.d_model = 16;
  TinyRun other(wider);
  std::string before = other.state();
  const auto refusal = [&](TinyRun& into) {
    return message_of<FormatError>([&] { into.trainer.restore(checkpoint); });
  };
  CHECK_THAT(refusal(other),
             ContainsSubstring(checkpoint.path("model.safetensors") + ": load_state_dict: ") &&
                 ContainsSubstring("'embedding.weight' should have shape [6, 16], has [6, 8]"));
  CHECK(other.state() == before);

  Options other_data = tiny_options();
  other_data.task = "text";
  other_data.data = {folder.path("text")};
  std::ofstream(folder.path("text")) << std::string(100, 'x');
  TinyRun elsewhere(other_data);
  before = elsewhere.state();
  CHECK_THAT(refusal(elsewhere), ContainsSubstring(": the data differs from what this run was"));
  CHECK(elsewhere.state() == before);

  // An optimizer's state that fits is not taken either where the model's does not, nor the reverse.
  for (const char* file : {"model.safetensors", "optimizer.safetensors"}) {
    CAPTURE(file);
    const std::string path = checkpoint.path(file), good = read_file(path, 1 << 20);
    StateDict tensors = load_safetensors(path).tensors;
    tensors["stranger"] = ones({2});
    save_safetensors(path, tensors);
    TinyRun same(tiny_options());
    before = same.state();
    CHECK_THAT(refusal(same), ContainsSubstring(path + ": load_state_dict: ") &&
                                  ContainsSubstring("got unexpected 'stranger' [2]"));
    CHECK(same.state() == before);
    std::ofstream(path, std::ios::binary) << good;
  }
}

TEST_CASE("a disk that is full, at first or later, ends the run with exit status 1") {
  const TemporaryDirectory folder;
  hyena::RunPlan plan{.options = tiny_options(), .root = folder.path("run"), .checkpoint = {}};
  plan.options.steps = plan.options.save_every = 1;
  for (const std::string at : {"/.trial", "/.saving/model.safetensors", "/metrics.jsonl"}) {
    CAPTURE(at);
    const Hook hook([&](const char* call, const std::string& path) {
      return std::string(call) == "write" && path.ends_with(at) ? ENOSPC : 0;
    });
    int status = 0;
    std::string message;
    try {
      hyena::run_session(ProcessGroup(), plan);
    } catch (const Error& error) {
      status = hyena::exit_status(error);
      message = error.what();
    }
    CHECK(status == 1);
    CHECK(message == plan.root + at + ": cannot write: No space left on device");
  }
}

TEST_CASE("exit status 2 is for what was asked for, and memory that is short is called that") {
  CHECK(hyena::exit_status(ArgumentError("x")) == 2);
  CHECK(hyena::exit_status(DeviceError("x")) == 2);
  CHECK(hyena::exit_status(FormatError("x")) == 1);
  CHECK(hyena::exit_status(IoError("x")) == 1);
  CHECK(hyena::exit_status(CommError("x")) == 1);
  CHECK(hyena::message_of(IoError("x")) == "x");
  const auto fails = [] { hyena::together(ProcessGroup(), [] { throw std::bad_alloc(); }); };
  CHECK(message_of<hyena::SharedFailure>(fails) ==
        "out of memory on cpu; try a smaller batch size or sequence length");
}

}  // namespace crocuta::test
