#include "examples/hyena/options.h"

#include "framework/base/error.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {
namespace {

using hyena::Options;

Options read(const std::string& json) {
  return hyena::read_options(Config::parse(json, "c.json"));
}
std::string error_of(const std::string& json) {
  return message_of<ArgumentError>([&] { read(json); });
}

}  // namespace

TEST_CASE("options have defaults, and every key reaches its member") {
  const Options o = read("{}");
  CHECK(o.task == "recall");
  CHECK(o.schedule_steps == o.steps);
  CHECK(hyena::model_length(o) == 72);  // 64 symbols, the question's two, filled up

  const Options p = read(R"({"task": "dna", "data": ["a", "b"], "heldout": 0.2, "seq_len": 128,
    "d_model": 8, "n_layers": 3, "dtype": "float64", "learning_rate": 0.5, "beta1": 0.5,
    "steps": 7, "schedule_steps": 9, "cp": 4, "on_nan": "skip", "backend": "nccl",
    "check_collectives": true})");
  CHECK(p.data == std::vector<std::string>{"a", "b"});
  CHECK(p.heldout == 0.2);
  CHECK(hyena::model_length(p) == 128);
  CHECK(p.model.dtype == DType::float64);
  CHECK(p.schedule_steps == 9);
  CHECK(p.cp == 4);
  CHECK(p.backend == "nccl");
  CHECK(p.check_collectives);
}

TEST_CASE("options out of range are named, with what was expected") {
  CHECK(error_of(R"({"learning_rat": 1})") ==
        "c.json: line 1: unknown key 'learning_rat' (did you mean 'learning_rate'?)");
  for (const auto& [json, key] : std::vector<std::pair<std::string, std::string>>{
           {R"({"task": "dnaa"})", "'task'"},
           {R"({"steps": 0})", "'steps'"},
           {R"({"steps": 1.5})", "'steps'"},
           {R"({"learning_rate": 0})", "'learning_rate'"},
           {R"({"learning_rate": 11})", "'learning_rate'"},
           {R"({"min_learning_rate": 1})", "'min_learning_rate'"},
           {R"({"emb_dim": 4})", "'emb_dim'"},
           {R"({"symbols": 9})", "'symbols'"},
           {R"({"seq_len": 63})", "'seq_len'"},
           {R"({"dtype": "int64"})", "'dtype'"},
           {R"({"beta1": 1})", "'beta1'"},
           {R"({"on_nan": "ignore"})", "'on_nan'"},
           {R"({"backend": "tcp"})", "'backend'"},
           {R"({"comm_timeout": 1e-9})", "'comm_timeout': expected a number of at least 0.001"},
           {R"({"seed": -1})", "'seed'"},
           {R"({"data": ["x"]})", "'data'"},
           {R"({"l_max": 64})", "'l_max': expected 0, or at least the sequence length, 72"},
           {R"({"codec": "hyenadna"})", "'codec'"},
           {R"({"cp": 3})", "'cp': expected a divisor of d_model = 64, got 3"},
           {R"({"cp": 5, "d_model": 10})", "'cp': expected a divisor of the sequence length, 72"},
       }) {
    CAPTURE(json);
    CHECK_THAT(error_of(json), ContainsSubstring(key));
  }
}

TEST_CASE("a run's configuration reads back as the same options") {
  const Options o = read(R"({"task": "text", "data": ["a\"b\n"], "learning_rate": 0.1234567890123,
                             "dtype": "bfloat16", "cp": 2})");
  const Config config = hyena::run_config(o);
  const Options again = hyena::read_options(config);
  CHECK(again.data == o.data);
  CHECK(again.learning_rate == o.learning_rate);
  CHECK(again.model.dtype == o.model.dtype);
  CHECK(again.cp == 1);  // how many ranks share the work is no part of the run
  CHECK(hyena::run_config(again) == config);
}

TEST_CASE("a resumed run may train longer and elsewhere, but not otherwise") {
  Options a = read("{}"), b = a;
  b.steps = 9999;
  b.cp = 2;
  b.out = "elsewhere";
  CHECK(hyena::differences(hyena::run_config(a), hyena::run_config(b)).empty());
  b.learning_rate = 0.001;
  b.task = "dna";
  CHECK(hyena::differences(hyena::run_config(a), hyena::run_config(b)) ==
        std::vector<std::string>{"learning_rate: 0.002 here, 0.001 in the checkpoint",
                                 "task: \"recall\" here, \"dna\" in the checkpoint"});
}

}  // namespace crocuta::test
