// The scenarios of mpi_program that need an emulated NCCL; defined in builds that have it.
#pragma once

#include <string_view>
#include <vector>

namespace crocuta::test {

struct NcclScenario {
  std::string_view name;
  void (*run)();
};
const std::vector<NcclScenario>& nccl_scenarios();

}  // namespace crocuta::test
