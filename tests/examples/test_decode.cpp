#include "examples/hyena/decode.h"

#include <cmath>
#include <map>

#include "framework/ops/ops.h"
#include "tests/examples/tiny_run.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"

namespace crocuta::test {

using hyena::choose_token;
using hyena::next_logits;
using hyena::Options;
using Tokens = std::vector<std::int64_t>;

TEST_CASE("the logits after a prefix do not depend on what follows it") {
  TinyRun run(tiny_options());
  run.train(3);
  HyenaLM& model = run.trainer.model();
  model.train(false);
  const Tokens a = {1, 4, 2, 3, 1, 4, 5, 2}, b = {1, 4, 2, 3, 2, 2, 0, 1};  // differ from 4 on
  const NoGrad no_grad;
  const auto logits = [&](const Tokens& ids) {
    return model.forward(from_vector(ids, {1, static_cast<std::int64_t>(ids.size())}));
  };
  for (std::int64_t t = 0; t < 4; ++t) {
    const auto whole = select(select(logits(a), 1, t), 0, 0).to_vector();
    const auto other = select(select(logits(b), 1, t), 0, 0).to_vector();
    // Step-wise decoding sees the prefix alone; transforms of other lengths round otherwise.
    const auto prefix = next_logits(model, Tokens(a.begin(), a.begin() + t + 1));
    for (std::size_t i = 0; i < whole.size(); ++i) {
      CHECK(other[i] == Approx(whole[i]).margin(1e-6));
      CHECK(prefix[i] == Approx(whole[i]).margin(1e-6));
    }
  }
  const auto at_change = select(select(logits(a), 1, 4), 0, 0).to_vector();
  CHECK(at_change != select(select(logits(b), 1, 4), 0, 0).to_vector());
}

TEST_CASE("nothing is dropped while decoding, whatever the model was doing before") {
  Options o = tiny_options();
  o.model.dropout = 0.5;
  TinyRun run(o);
  run.train(3);
  HyenaLM& model = run.trainer.model();
  const Tokens prompt(static_cast<std::size_t>(model.options().hyena.l_max), 3);
  std::vector<std::vector<float>> results;
  for (const bool training : {false, true, true}) {
    model.train(training);
    hyena::Decoder decoder(model, prompt, hyena::Window::slide);
    decoder.append(5);  // sees the last tokens that fit, by a forward pass
    results.push_back(decoder.logits());
  }
  CHECK(results[1] == results[0]);
  CHECK(results[2] == results[0]);
}

TEST_CASE("beyond its length the model sees the last tokens that fit") {
  TinyRun run(tiny_options());
  Tokens longer;
  for (std::int64_t i = 0; i < 40; ++i) longer.push_back(1 + i % 4);
  const Tokens last(longer.end() - 16, longer.end());
  CHECK(next_logits(run.trainer.model(), longer) == next_logits(run.trainer.model(), last));
}

TEST_CASE("a decoder gives what forward passes give, up to its length and beyond") {
  TinyRun run(tiny_options());
  run.train(3);
  HyenaLM& model = run.trainer.model();
  const std::int64_t l_max = model.options().hyena.l_max;
  const auto close = [](const std::vector<float>& a, const std::vector<float>& b) {
    bool close = a.size() == b.size();
    for (std::size_t i = 0; close && i < a.size(); ++i) close = std::abs(a[i] - b[i]) < 1e-5f;
    return close;
  };
  for (const hyena::Window window : {hyena::Window::restart, hyena::Window::slide}) {
    Tokens tokens = {1, 4, 2}, seen = tokens;
    hyena::Decoder decoder(model, tokens, window);
    for (std::int64_t i = 0; i < 3 * l_max; ++i) {
      CAPTURE(i);
      REQUIRE(close(decoder.logits(), next_logits(model, seen)));
      tokens.push_back(1 + i % 4);
      seen.push_back(tokens.back());
      if (static_cast<std::int64_t>(seen.size()) > l_max && window == hyena::Window::restart) {
        seen.assign(tokens.end() - l_max / 2, tokens.end());
      }
      decoder.append(tokens.back());
    }
  }
}

TEST_CASE("a prompt longer than the model is seen by its end") {
  TinyRun run(tiny_options());
  Tokens longer;
  for (std::int64_t i = 0; i < 40; ++i) longer.push_back(1 + i % 4);
  hyena::Decoder decoder(run.trainer.model(), longer);
  const auto wanted = next_logits(run.trainer.model(), longer);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    CHECK(decoder.logits()[i] == Approx(wanted[i]).margin(1e-5));
  }
}

TEST_CASE("top_p keeps the fewest tokens that reach the share") {
  const std::vector<float> logits = {std::log(1.0f), std::log(5.0f), std::log(4.0f)};
  const auto drawn = [&](double top_p) {
    std::map<std::int64_t, int> counts;
    for (std::int64_t i = 0; i < 1000; ++i) ++counts[choose_token(logits, {.top_p = top_p}, i)];
    return counts;
  };
  CHECK(drawn(0.01).size() == 1);
  CHECK(drawn(0.01)[1] == 1000);
  CHECK(drawn(0.51).size() == 2);
  CHECK(drawn(0.51)[0] == 0);
  CHECK(std::abs(drawn(0.51)[2] - 444) < 80);  // 4 of 9, 5 standard deviations
  CHECK(drawn(0.95).size() == 3);
}

TEST_CASE("temperature 0 takes the likeliest token, the first of equals") {
  CHECK(choose_token({0, 3, 1, 3}, {.temperature = 0}, 0) == 1);
}

TEST_CASE("tokens are drawn as their probabilities say") {
  const std::vector<float> logits = {0, std::log(2.0f), std::log(5.0f)};
  std::map<std::int64_t, int> drawn;
  for (std::int64_t i = 0; i < 8000; ++i) ++drawn[choose_token(logits, {}, i)];
  CHECK(std::abs(drawn[0] - 1000) < 150);  // 5 standard deviations
  CHECK(std::abs(drawn[1] - 2000) < 200);
  CHECK(std::abs(drawn[2] - 5000) < 220);

  drawn.clear();
  for (std::int64_t i = 0; i < 1000; ++i) ++drawn[choose_token(logits, {.top_k = 2}, i)];
  CHECK(drawn.size() == 2);
  CHECK(drawn[0] == 0);
  drawn.clear();
  for (std::int64_t i = 0; i < 1000; ++i) ++drawn[choose_token(logits, {.temperature = 0.05}, i)];
  CHECK(drawn[2] == 1000);
}

TEST_CASE("a token that is impossible is never chosen") {
  const float never = -HUGE_VALF;
  for (std::int64_t i = 0; i < 200; ++i) {
    CHECK(choose_token({never, 0, never}, {}, i) == 1);
    CHECK(choose_token({never, 0, never}, {.top_k = 2}, i) == 1);
    CHECK(choose_token({never, -3e38f, never}, {.temperature = 1e-3}, i) == 1);
    CHECK(choose_token({-3e38f, never, 3e38f}, {}, i) == 2);
  }
  CHECK(choose_token({never, never, -1}, {.temperature = 0}, 0) == 2);
}

TEST_CASE("nothing is chosen among logits that say nothing") {
  const auto outcome = [](const std::vector<float>& logits, double temperature) {
    return message_of<Error>([&] { choose_token(logits, {.temperature = temperature}, 0); });
  };
  for (const double temperature : {0.0, 1.0}) {
    CHECK(outcome({0, NAN, 1}, temperature) ==
          "the model gives token 1 the logit nan: are its parameters damaged?");
    CHECK(outcome({0, 1, HUGE_VALF}, temperature) ==
          "the model gives token 2 the logit inf: are its parameters damaged?");
    CHECK(outcome({-HUGE_VALF, -HUGE_VALF}, temperature) ==
          "the model gives no token a chance: are its parameters damaged?");
  }
}

TEST_CASE("a continuation is a pure function of model, prompt and seed") {
  TinyRun run(tiny_options());
  HyenaLM& model = run.trainer.model();
  const Tokens prompt = {1, 4, 2};
  const Tokens a = hyena::continue_sequence(model, prompt, {.max_tokens = 20, .seed = 1});
  CHECK(a.size() == 20);
  CHECK(a == hyena::continue_sequence(model, prompt, {.max_tokens = 20, .seed = 1}));
  CHECK(a != hyena::continue_sequence(model, prompt, {.max_tokens = 20, .seed = 2}));
  Tokens emitted;
  hyena::continue_sequence(model, prompt, {.max_tokens = 20, .seed = 1}, [&](std::int64_t token) {
    emitted.push_back(token);
    return emitted.size() < 3;
  });
  CHECK(emitted == Tokens(a.begin(), a.begin() + 3));
  CHECK(message_of<ArgumentError>([&] { hyena::continue_sequence(model, {}, {}); }) ==
        "decode: 'prompt': expected at least one token, got none");
}

TEST_CASE("prompts become tokens and back, or an error that names the symbol") {
  const auto recall = hyena::make_codec("recall", 10), dna = hyena::make_codec("dna", 0),
             text = hyena::make_codec("text", 0);
  CHECK(recall->encode(" a  B => d . ") == Tokens{1, 6, 9, 4, 0});
  CHECK(recall->decode({1, 6, 9, 4, 0}) == "a B => d .");
  CHECK(dna->encode("acGTuN") == Tokens{0, 1, 2, 3, 3, 4});
  CHECK(dna->decode({0, 1, 2, 3, 4}) == "ACGTN");
  CHECK(text->encode("\xff\x01z") == Tokens{255, 1, 122});
  CHECK(text->decode({255, 1, 122}) == "\xff\x01z");
  CHECK_THAT(message_of<ArgumentError>([&] { recall->encode("a e"); }),
             ContainsSubstring("got 'e'"));
  CHECK_THAT(message_of<ArgumentError>([&] { dna->encode("AX"); }), ContainsSubstring("got 'X'"));
  CHECK_THROWS_AS(hyena::make_codec("images", 0), ArgumentError);
}

}  // namespace crocuta::test
