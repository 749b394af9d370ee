#include "examples/hyena/app/memory.h"

#include <filesystem>

#include "examples/hyena/data/codec.h"
#include "framework/base/error.h"
#include "framework/device/available_memory.h"
#include "framework/device/device.h"

namespace crocuta::hyena {
namespace {

double real(std::int64_t n) {
  return static_cast<double>(n);
}

double data_bytes(const Options& o) {
  double bytes = 0;
  if (o.task == "recall") {  // ids of the held-out sequences, and an order of those to train on
    bytes = 8 * real(o.test_sequences) * real(o.seq_len) + 8 * real(o.train_sequences);
  }
  for (const std::string& path : o.data) {
    std::error_code error;  // whoever reads it says what is wrong with it
    const auto size = std::filesystem::file_size(path, error);
    if (!error) bytes += static_cast<double>(size);
  }
  return bytes;
}

}  // namespace

MemoryEstimate estimate_memory(const Options& o, int world, int here) {
  const double d = real(o.model.d_model),
               inner = o.model.d_inner > 0 ? real(o.model.d_inner) : 4 * d;
  const double order = real(o.model.filter_order), layers = real(o.model.n_layers);
  const double vocabulary = real(make_codec(o.task, o.symbols, o.codec)->vocabulary());
  const double length = real(model_length(o)), tokens = real(o.batch_size) * length;
  MemoryEstimate bytes;
  // Every rank makes the whole batch, of ids and targets, and a copy of its part.
  bytes.data = here * (data_bytes(o) + 16 * tokens) + 16 * tokens * here / world;
  if (parse_device(o.device, "configuration").is_cuda()) return bytes;

  // The numbers that a block keeps for the way back, per token and per position of its filter: as
  // measured, rounded down.
  const double element = static_cast<double>(size_of(o.model.dtype));
  const double per_token = layers * (9 * d + 2.25 * inner) + vocabulary;
  const double filter = layers * length * 9 * order;
  bytes.activations = element * (tokens * per_token + filter) * here / world;
  // Each with its gradient and two moments, and for the 16-bit types a float32 copy.
  const double per_block = 4 * d * d + 2 * d * inner + order * (order + d);
  const double each = o.model.dtype == DType::float64 ? 32 : 16;
  bytes.parameters = here * each * (layers * per_block + vocabulary * d);
  return bytes;
}

void require_memory(const Options& options, int world, int here) {
  const MemoryEstimate needed = estimate_memory(options, world, here);
  const auto available = static_cast<double>(available_memory());
  if (needed.total() <= available) return;
  throw OutOfMemory(str("training needs about ", memory_text(needed.total()),
                        " of memory (activations ", memory_text(needed.activations),
                        ", parameters ", memory_text(needed.parameters), ", data ",
                        memory_text(needed.data), "), ", memory_text(available),
                        " free; try a smaller batch size, sequence length or model"));
}

}  // namespace crocuta::hyena
