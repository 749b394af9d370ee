// What a checkpoint of a run holds, and how the run is put together again from one.
#include "examples/hyena/app/format.h"
#include "examples/hyena/trainer.h"
#include "framework/base/json.h"
#include "framework/io/safetensors.h"
#include "framework/tensor/random.h"

namespace crocuta::hyena {
void load_or_blame(const std::string& path, const std::function<void()>& load) {
  try {
    blame_file(load);
  } catch (const FormatError& error) {
    throw FormatError(str(printable(path), ": ", error.what()));
  }
}

CheckpointContents Trainer::contents() const {
  CheckpointContents contents;
  const Config config = run_config(options_);
  const Generator& generator = default_generator();
  contents.step = steps_done_;
  contents.configuration = config.fingerprint();
  contents.tensors["model.safetensors"] = model_.state_dict();
  contents.tensors["optimizer.safetensors"] = optimizer_.state_dict();
  contents.texts["config.json"] = config.dump() + "\n";
  contents.texts["state.json"] =
      str("{\n  \"step\": ", steps_done_, ",\n  \"sequences_seen\": ", sequences_seen_,
          ",\n  \"generator_seed\": ", generator.seed,
          ",\n  \"generator_next_stream\": ", generator.next_stream, ",\n  \"data\": \"",
          hexadecimal(task_.data_hash()), "\"\n}\n");
  return contents;
}

void Trainer::restore(const Checkpoint& checkpoint) {
  const Config file = Config::load(checkpoint.path("state.json"));
  const IntRange count{.min = 0};
  struct State {
    std::int64_t steps, sequences;
    Generator generator;
    std::string data;
  };
  const State state = blame_file([&] {
    State values{file.get_int("step", count),
                 file.get_int("sequences_seen", count),
                 {static_cast<std::uint64_t>(file.get_int("generator_seed", count)),
                  static_cast<std::uint64_t>(file.get_int("generator_next_stream", count))},
                 file.get_string("data")};
    file.finish();
    return values;
  });
  if (state.data != hexadecimal(task_.data_hash())) {
    throw FormatError(str(printable(checkpoint.directory),
                          ": the data differs from what this run was trained on (fingerprint ",
                          hexadecimal(task_.data_hash()), " here, ", printable(state.data, 20),
                          " in the checkpoint)"));
  }
  // Both are read, and the model's compared, before either is assigned.
  const std::string model_path = checkpoint.path("model.safetensors");
  const std::string optimizer_path = checkpoint.path("optimizer.safetensors");
  const Safetensors model = load_safetensors(model_path);
  const Safetensors optimizer = load_safetensors(optimizer_path);
  load_or_blame(model_path, [&] { model_.check_state_dict(model.tensors); });
  load_or_blame(optimizer_path, [&] { optimizer_.load_state_dict(optimizer.tensors); });
  model_.load_state_dict(model.tensors);
  default_generator() = state.generator;
  steps_done_ = state.steps;
  sequences_seen_ = state.sequences;
}

}  // namespace crocuta::hyena
