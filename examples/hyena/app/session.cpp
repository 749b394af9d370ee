#include "examples/hyena/app/session.h"

#include <chrono>
#include <cmath>
#include <filesystem>

#include "distributed/context_parallel.h"
#include "distributed/init.h"
#include "examples/hyena/app/agreement.h"
#include "examples/hyena/app/console.h"
#include "examples/hyena/app/format.h"
#include "examples/hyena/app/memory.h"
#include "examples/hyena/app/signals.h"
#include "examples/hyena/app/summary.h"
#include "examples/hyena/app/together.h"
#include "examples/hyena/trainer.h"
#include "framework/base/log.h"
#include "framework/base/program.h"
#include "framework/device/device_cuda.h"
#include "framework/io/jsonl.h"

namespace crocuta::hyena {
namespace {

// Steps in a row that --on-nan skip leaves out before it gives up.
constexpr int kMaxSkips = 20;

// Without a terminal, one in so many logged steps gets a line; metrics.jsonl has them all.
constexpr std::int64_t kLinesEvery = 5;

class Stopwatch {
 public:
  double seconds() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

class Session {
 public:
  Session(const ProcessGroup& world, const RunPlan& plan)
      : world_(world),
        plan_(plan),
        options_(plan.options),
        first_(world.rank() == 0),
        parallel_(make_parallel(world, static_cast<int>(options_.cp))),
        console_(!first_),
        root_(plan.root) {}

  int run() {
    prepare();
    introduce();
    const int status = train();
    if (status == 0) conclude();
    return status == 0 && console_.failed() ? kExitRuntime : status;
  }

 private:
  // Everything that can fail does so here, before the first step.
  void prepare() {
    // Ranks are processes, or threads of this one.
    const bool processes = distributed::launched_processes().value_or(1) > 1;
    together(world_,
             [&] { require_memory(options_, world_.size(), processes ? 1 : world_.size()); });
    task_ = make_same_task(world_, options_);
    together(world_, [&] {
      trainer_.emplace(options_, *task_, parallel_, plan_.initial);
      if (plan_.checkpoint) trainer_->restore(*plan_.checkpoint);
      if (!first_) return;
      if (root_.empty()) root_ = make_root(options_.task);
      const std::filesystem::path parent = std::filesystem::path(root_).parent_path();
      std::error_code ignored;  // the store names what is wrong with the directory
      if (!parent.empty()) std::filesystem::create_directories(parent, ignored);
      store_.emplace(root_);
      metrics_.emplace(root_ + "/metrics.jsonl");
    });
    trainer_->check_ranks_agree();
    task_->prepare(world_);
    saved_step_ = plan_.checkpoint ? trainer_->steps_done() : -1;
  }

  void introduce() {
    if (!first_) return;
    for (const std::string& line : task_->introduce()) console_.line(line);
    const HyenaLM& model = trainer_->model();
    console_.line(str("Model: HyenaLM, ", count(model.parameter_count()), " parameters (d_model ",
                      options_.model.d_model, ", ", counted(options_.model.n_layers, "block"),
                      "), ", options_.model.dtype, " on ", model.options().hyena.device));
    if (options_.device == "auto" && cuda_device_count() == 0) {
      console_.line(str("No GPU is used: ", cuda::problem()));
    }
    if (world_.size() > 1) {
      console_.line(str(world_.size(), " ranks (", options_.cp, " per sequence)"));
    }
    introduce_steps();
  }

  void introduce_steps() {
    const std::int64_t done = trainer_->steps_done();
    if (plan_.checkpoint) {
      console_.line(str("Resuming at step ", count(done), " from ",
                        printable(plan_.checkpoint->directory), "/"));
    }
    if (done >= options_.steps) {
      console_.line(str("Trained already: step ", count(done), " of ", count(options_.steps)));
      return;
    }
    console_.line(str(plan_.checkpoint ? "Training for another " : "Training for ",
                      counted(options_.steps - done, "step"), ", each on ",
                      counted(options_.batch_size, "sequence"), " of ",
                      counted(task_->length(), "token"), ". Files: ", printable(root_), "/"));
  }

  int train() {
    if (trainer_->steps_done() == 0) evaluate(options_.eval_windows);
    while (trainer_->steps_done() < options_.steps) {
      const std::int64_t next = trainer_->steps_done() + 1;
      const bool log = next % options_.log_every == 0 || next == options_.steps;
      const Stopwatch watch;
      const Trainer::Step step = trainer_->step(log);
      training_seconds_ += watch.seconds();
      ++trained_steps_;
      const auto [signal, save_asked] = requests();
      if (!step.trouble.empty()) {
        if (!tolerate(step.trouble)) return kExitRuntime;
      } else {
        skips_ = 0;
        show(step, log);
      }
      if (next % options_.eval_every == 0 && next < options_.steps) {
        evaluate(options_.eval_windows);
      }
      if (signal != 0 || save_asked || next % options_.save_every == 0) {
        save(signal != 0 || next == options_.steps);
      }
      if (signal != 0) {
        console_.line(str("Stopped by ", signal_name(signal), " after step ", count(next),
                          "; all is saved. Go on with"));
        console_.line(str("  ", resuming_command(options_, root_)));
        return 128 + signal;
      }
    }
    save(true);
    return 0;
  }

  struct Requests {
    int signal;
    bool save;
  };
  // What signals ask for, agreed on by all ranks, whichever of them got the signal.
  Requests requests() const {
    const std::vector<std::int64_t> mine = {stop_signal(), take_save_request() ? 1 : 0};
    const Tensor any = world_.all_reduce(from_vector(mine, {2}, Device::cpu()), ReduceOp::max);
    const auto all = any.to_vector<std::int64_t>();
    return {static_cast<int>(all[0]), all[1] != 0};
  }

  // Whether to go on after a step whose loss or gradient was not finite.
  bool tolerate(const std::string& trouble) {
    if (!first_) return options_.on_nan == "skip" && ++skips_ < kMaxSkips;
    console_.clear();
    if (options_.on_nan == "stop") {
      log_error(
          str(trouble, "; the parameters are unchanged (--on-nan skip leaves such steps out)"));
      return false;
    }
    if (++skips_ == kMaxSkips) {
      log_error(str(trouble, "; gave up after ", kMaxSkips, " such steps in a row"));
      return false;
    }
    log_warn(trouble + "; step left out");
    return true;
  }

  void show(const Trainer::Step& step, bool log) {
    const double rate = static_cast<double>(trained_steps_) / training_seconds_;  // steps/s
    const std::int64_t done = trainer_->steps_done();
    const double tokens_per_second = rate * static_cast<double>(trainer_->tokens_per_step());
    console_.progress(str("step ", done, "/", options_.steps, "  ", task_->loss(step.loss),
                          "  rate ", significant(step.learning_rate, 3), "  ",
                          duration(static_cast<double>(options_.steps - done) / rate), " left  ",
                          count(std::llround(tokens_per_second)), " tokens/s"),
                      done % (kLinesEvery * options_.log_every) == 0 || done == options_.steps);
    if (!log) return;
    together(world_, [&] {
      if (!first_) return;
      metrics_->write(JsonLine()
                          .add("step", done)
                          .add("loss", step.loss)
                          .add("train_accuracy", step.accuracy)
                          .add("gradient_norm", step.gradient_norm)
                          .add("learning_rate", step.learning_rate)
                          .add("tokens_per_second", tokens_per_second)
                          .add("seconds", training_seconds_));
      if (options_.task == "recall" && step.accuracy > 0.99) {
        console_.clear();
        log_warn(str("step ", done, ": ", percent(step.accuracy),
                     " of all training targets are guessed, random ones too: the model must be "
                     "looking ahead"));
      }
    });
  }

  void evaluate(std::int64_t rows) {
    result_ = trainer_->evaluate(rows);
    // What a model says before it has learned anything is worse than chance: it names tokens that
    // never come. The metrics have it.
    if (trainer_->steps_done() > 0) {
      console_.line(str("step ", trainer_->steps_done(), ": ", task_->report(result_)));
    }
    together(world_, [&] {
      if (!first_) return;
      JsonLine line;
      line.add("step", trainer_->steps_done()).add("heldout_loss", result_.nats);
      task_->report(result_, line);
      metrics_->write(line);
    });
  }

  // `last`: training ends here.
  void save(bool last) {
    if (saved_step_ == trainer_->steps_done()) return;
    together(world_, [&] {
      if (!first_) return;
      store_->save(trainer_->contents());
    });
    saved_step_ = trainer_->steps_done();
    check_data(last);
  }

  // All data is in memory, so files that have changed spoil nothing that is saved; but what follows
  // could not be resumed.
  void check_data(bool last) {
    together(world_, [&] {
      if (!first_) return;
      try {
        task_->require_unchanged();
      } catch (const Error& error) {
        const std::string what = str(error.what(), "; all is saved in ", printable(root_));
        if (!last) throw IoError(what + ", and goes on with --resume once the data is back");
        console_.clear();
        log_warn(what);
      }
    });
  }

  void conclude() {
    evaluate(task_->test_rows());
    // Every rank works out the examples, which may take long, so that none waits for another.
    together(world_, [&] {
      console_.line("");
      for (const std::string& line :
           summary(*task_, *trainer_, options_, root_, result_, training_seconds_)) {
        console_.line(line);
      }
    });
  }

  const ProcessGroup world_;
  const RunPlan& plan_;
  const Options& options_;
  const bool first_;
  const ParallelContext parallel_;
  Console console_;
  std::string root_;  // the directory of the run's files, on the first rank
  std::unique_ptr<Task> task_;
  std::optional<Trainer> trainer_;
  std::optional<CheckpointStore> store_;
  std::optional<JsonlWriter> metrics_;
  Evaluation result_;
  double training_seconds_ = 0;
  std::int64_t trained_steps_ = 0, saved_step_ = -1;
  int skips_ = 0;
};

}  // namespace

int run_session(const ProcessGroup& world, const RunPlan& plan) {
  return Session(world, plan).run();
}

}  // namespace crocuta::hyena
