#include "examples/hyena/tasks/task.h"

#include <algorithm>

#include "examples/hyena/tasks/tasks.h"

namespace crocuta::hyena {

std::int64_t Batch::scored() const {
  return static_cast<std::int64_t>(targets.size()) -
         std::count(targets.begin(), targets.end(), kIgnored);
}

void Batch::set_row(std::int64_t row, const Batch& source) {
  std::copy_n(source.ids.begin(), length, ids.begin() + row * length);
  std::copy_n(source.targets.begin(), length, targets.begin() + row * length);
}

Batch Batch::part(std::int64_t begin, std::int64_t end, std::int64_t from, std::int64_t to) const {
  Batch piece(end - begin, to - from);
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t source = row * length + from, target = (row - begin) * (to - from);
    std::copy_n(ids.begin() + source, to - from, piece.ids.begin() + target);
    std::copy_n(targets.begin() + source, to - from, piece.targets.begin() + target);
  }
  return piece;
}

Batch Task::train_batch(std::int64_t first, std::int64_t rows) {
  Batch batch(rows, length_);
  for (std::int64_t row = 0; row < rows; ++row) {
    train_row(first + row, &batch.ids[static_cast<std::size_t>(row * length_)],
              &batch.targets[static_cast<std::size_t>(row * length_)]);
  }
  return batch;
}

Batch Task::test_batch(std::int64_t first, std::int64_t rows) const {
  Batch batch(rows, length_);
  for (std::int64_t row = 0; row < std::min(rows, test_rows() - first); ++row) {
    test_row(first + row, &batch.ids[static_cast<std::size_t>(row * length_)],
             &batch.targets[static_cast<std::size_t>(row * length_)]);
  }
  return batch;
}

std::vector<std::int64_t> Task::held_out(std::int64_t /*count*/) const {
  return {};
}

std::unique_ptr<Task> make_task(const Options& options) {
  if (options.task == "recall") return make_recall_task(options);
  return make_corpus_task(options);
}

}  // namespace crocuta::hyena
