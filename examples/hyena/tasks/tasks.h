// The tasks that make_task() chooses from.
#pragma once

#include <memory>

#include "examples/hyena/tasks/task.h"

namespace crocuta::hyena {

// Associative recall: data/recall.h.
std::unique_ptr<Task> make_recall_task(const Options& options);
// The next base of a genome, or the next byte of a text: data/corpus.h.
std::unique_ptr<Task> make_corpus_task(const Options& options);

}  // namespace crocuta::hyena
