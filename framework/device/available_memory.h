// How much memory this process can still have.
#pragma once

#include <cstddef>
#include <string>

namespace crocuta {

// Bytes that this process can still get without swapping: what the machine has available, within
// the limits of its control groups (containers, Slurm, systemd) and of ulimit -v and -d.
std::size_t available_memory();

// What the control groups leave. `groups` is a file like /proc/self/cgroup, `mount` where the
// groups' files are. The largest number there is if nothing limits it.
std::size_t group_memory(const std::string& groups = "/proc/self/cgroup",
                         const std::string& mount = "/sys/fs/cgroup");

// "1.50 GiB"
std::string memory_text(double bytes);

}  // namespace crocuta
