// How a rank of an MPI job fails, for scenarios. What it prints tells a job that ended because of
// it from one that never started, or that waited for its end.
#pragma once

#include <chrono>
#include <csignal>
#include <iostream>
#include <thread>

namespace crocuta::test {

inline constexpr const char* kAwake = "mpi_program: a rank that slept is awake";
inline constexpr const char* kDying = "mpi_program: a rank kills itself";

// Longer than any job may take; the launcher ends it.
inline void sleep_for_ever() {
  std::this_thread::sleep_for(std::chrono::minutes(10));
  std::cout << kAwake << std::endl;
}

inline void die_now() {
  std::cout << kDying << std::endl;
  std::raise(SIGKILL);
}

}  // namespace crocuta::test
