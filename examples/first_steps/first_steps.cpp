// A first program: data, a model, a training loop, saving and loading.
//
// The task: of a sequence of random bits x, say at every position t whether x[t] and x[t - 2] differ.
// The model has to look back, which is what a causal convolution does, and then to reason about what
// it found, which takes a nonlinear layer.
#include <crocuta/crocuta.h>

#include <iostream>

using namespace crocuta;

struct Batch {
  Tensor x;  // [batch, length, 1], -1 or 1
  Tensor y;  // [batch, length, 1], 0 or 1
};

Batch random_batch(std::int64_t size, std::int64_t length) {
  const Tensor bits = (rand({size, length + 2, 1}) * 2.0).to(DType::int64).to(DType::float32);
  const Tensor now = slice(bits, 1, 2, length + 2), before = slice(bits, 1, 0, length);
  return {now * 2.0 - 1.0, square(now - before)};
}

class Model : public Module {
 public:
  explicit Model(std::int64_t width)
      : spread_(child<Linear>("spread", {.in_features = 1, .out_features = width})),
        look_back_(child<DistributedDepthwiseConv1d>(
            "look_back", {.hidden_dim = width, .kernel_size = 3, .causal = true, .bias = true})),
        think_(child<MLP>("think", {.d_model = width})),
        answer_(child<Linear>("answer", {.in_features = width, .out_features = 1})) {}

  // x [batch, length, 1] → logits of the same shape.
  Tensor forward(const Tensor& x) {
    const Tensor channels = transpose(spread_(x), 1, 2);  // [batch, width, length]
    const Tensor seen = transpose(look_back_(channels), 1, 2);
    return answer_(think_(seen));
  }

 private:
  Linear& spread_;
  DistributedDepthwiseConv1d& look_back_;
  MLP& think_;
  Linear& answer_;
};

// The share of positions that the model gets right. The first two cannot be known.
double accuracy(Model& model, const Batch& batch) {
  const NoGrad no_grad;
  const Tensor logits = model.forward(batch.x);
  const std::vector<float> said = slice(logits, 1, 2, logits.size(1)).to_vector();
  const std::vector<float> is = slice(batch.y, 1, 2, batch.y.size(1)).to_vector();
  int right = 0;
  for (std::size_t i = 0; i < is.size(); ++i) right += (said[i] > 0) == (is[i] > 0.5f);
  return right / static_cast<double>(is.size());
}

int main() try {
  manual_seed(1);
  Model model(16);
  std::cout << model.parameter_count() << " parameters\n";
  AdamW optimizer(model.named_parameters(), {.learning_rate = 1e-2});
  for (int step = 1; step <= 300; ++step) {
    const Batch batch = random_batch(16, 32);
    const Tensor loss = binary_cross_entropy_with_logits(model.forward(batch.x), batch.y);
    loss.backward();
    optimizer.step();
    optimizer.zero_grad();
    if (step % 100 == 0) std::cout << "step " << step << ": loss " << loss.item() << '\n';
  }

  const Batch unseen = random_batch(64, 32);
  std::cout << "right: " << 100 * accuracy(model, unseen) << " %\n";
  save_safetensors("first_steps.safetensors", model.state_dict());

  Model loaded(16);
  loaded.load_state_dict(load_safetensors("first_steps.safetensors").tensors);
  std::cout << "right after loading: " << 100 * accuracy(loaded, unseen) << " %\n";
  return accuracy(loaded, unseen) == accuracy(model, unseen) ? 0 : 1;
} catch (const Error& error) {
  std::cerr << "first_steps: " << error.what() << '\n';
  return 1;
}
