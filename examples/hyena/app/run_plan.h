// Which run a call of train_hyena means: its options, where its files go, and what it continues.
#pragma once

#include <optional>
#include <string>

#include "examples/hyena/options.h"
#include "framework/io/checkpoint.h"

namespace crocuta::hyena {

struct RunPlan {
  Options options = {};
  std::string root = {};  // the directory of its files; "": make_root() makes it
  std::optional<Checkpoint> checkpoint = {};  // to continue from
  std::optional<Checkpoint> initial = {};     // whose parameters a new run begins with
};

// What a run is told beside its options: the directory of a run that goes on, or of a checkpoint
// whose parameters a new one begins with; both may be "", which for a run means the last.
struct Origin {
  std::optional<std::string> resume = {}, init_from = {};
};

// `given` is what the user asked for. Without `resume` a new run begins, in `out` or in a directory
// that make_root() will make. With it the run in that directory goes on, or in the last that was
// made if it is empty; what was not given is taken from the checkpoint. Reads files but writes
// none. A run that begins with a checkpoint's parameters takes its model, codec and length from there,
// where they are not given. Throws ArgumentError for options out of range, steps beyond the end of a schedule that ends
// at 0, an `out` that holds a run already, and options that differ from the checkpoint's, listing
// them; IoError or FormatError if there is no good checkpoint.
RunPlan plan_run(const Config& given, const Origin& origin);

// Throws ArgumentError if the directory `out` holds a run or a checkpoint already.
void require_no_run(const std::string& out);

// Makes the directory of a new run of `task` that names none, the next of runs/<task>,
// runs/<task>-2, ...: runs that begin at once get one each. Throws IoError.
std::string make_root(const std::string& task);

// The newest good checkpoint in the directory of a run, or the one that `directory` itself is.
// A directory with a model.safetensors and a config.json, of another program's making, will do, too.
// Throws IoError if there is none.
Checkpoint find_checkpoint(const std::string& directory);

// The configuration that a checkpoint carries. Throws FormatError if it is none.
Config stored_config(const Checkpoint& checkpoint);

}  // namespace crocuta::hyena
