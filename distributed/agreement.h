// What every rank was told by itself (options, files), compared before the ranks compute on it.
#pragma once

#include <string>
#include <vector>

#include "distributed/process_group.h"

namespace crocuta {

// Every rank's text on every rank: element r is that of rank r. Throws CommError.
std::vector<std::string> gather_texts(const std::string& mine, const ProcessGroup& group);

// "rank 1 (node7)" for each rank: where it runs. Throws CommError.
std::vector<std::string> ranks_and_hosts(const ProcessGroup& group);

// What went wrong on the first rank for which `mine` is not "", on all ranks. `who` names it, as in
// "rank 1 (node7): ", unless all ranks give the same text; then something is wrong that they share.
// Throws CommError.
struct Failure {
  std::string who, text;
};
Failure first_failure(const std::string& mine, const ProcessGroup& group);

// Something that has to be the same on all ranks.
struct Fact {
  std::string name, value;
  std::string shown = value;  // what stands in messages for the value
};

// What the ranks do not agree on, the same text on all of them; "" if they agree:
//
//   'learning_rate': expected the same on all ranks, got 0.001 on rank 0 (node7), 0.01 on rank 1
//   (node8)
//
// Several differences are joined by "; ". A fact that a rank does not have is "nothing". Throws
// CommError.
std::string disagreement(const std::vector<Fact>& facts, const ProcessGroup& group);

}  // namespace crocuta
