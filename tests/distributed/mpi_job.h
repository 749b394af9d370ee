// Runs mpi_program under mpirun, and says what became of it.
#pragma once

#include <string>

namespace crocuta::test {

struct JobOutcome {
  int status = 0;  // the launcher's exit status, or 128 + n after signal n
  std::string output;
};

// `variables`: settings of the environment, NAME=value and separated by blanks.
JobOutcome mpirun(int ranks, const std::string& scenario, const std::string& variables = "");
// The same without a launcher.
JobOutcome run_alone(const std::string& scenario, const std::string& variables);

}  // namespace crocuta::test
