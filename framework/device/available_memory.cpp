#include "framework/device/available_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <limits>

#include "framework/base/error.h"

namespace crocuta {
namespace {

constexpr std::size_t kUnlimited = std::numeric_limits<std::size_t>::max();

std::size_t minus(std::size_t limit, std::size_t used) {
  return limit - std::min(limit, used);
}

// The number that follows `key` in lines of "key number ...", 0 if there is none.
std::size_t value_of(const std::string& path, const std::string& key) {
  std::ifstream lines(path);
  std::string word;
  std::size_t value = 0;
  while (lines >> word) {
    if (word == key && lines >> value) return value;
    lines.clear();
    lines.ignore(std::numeric_limits<std::streamsize>::max(), '\n');
  }
  return 0;
}

// What one group leaves. Pages of files that nobody uses are given up when memory is wanted.
struct GroupFiles {
  const char *limit, *used, *unused;
};
std::size_t left_in(const std::string& folder, const GroupFiles& names) {
  std::size_t limit = 0, used = 0;
  if (!(std::ifstream(folder + names.limit) >> limit)) return kUnlimited;  // "max", or no such file
  std::ifstream(folder + names.used) >> used;
  return minus(limit, minus(used, value_of(folder + "/memory.stat", names.unused)));
}

std::size_t machine_memory() {
  const std::size_t kib = value_of("/proc/meminfo", "MemAvailable:");
  if (kib > 0) return kib * 1024;
  return static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES)) *
         static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
}

// What the process's own limits leave: of addresses (ulimit -v), of data (ulimit -d).
std::size_t left_to_process() {
  std::size_t left = kUnlimited;
  rlimit limit{};
  const auto consider = [&](const char* used) {
    if (limit.rlim_cur == RLIM_INFINITY) return;
    left = std::min(left, minus(limit.rlim_cur, value_of("/proc/self/status", used) * 1024));
  };
  if (::getrlimit(RLIMIT_AS, &limit) == 0) consider("VmSize:");
  if (::getrlimit(RLIMIT_DATA, &limit) == 0) consider("VmData:");
  return left;
}

}  // namespace

std::size_t group_memory(const std::string& groups, const std::string& mount) {
  constexpr GroupFiles kV2{"/memory.max", "/memory.current", "inactive_file"};
  constexpr GroupFiles kV1{"/memory.limit_in_bytes", "/memory.usage_in_bytes",
                           "total_inactive_file"};
  std::size_t left = kUnlimited;
  std::ifstream lines(groups);
  for (std::string line;
       std::getline(lines, line);) {  // "0::/a/b", or "4:memory:/a/b" in version 1
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == line.npos || second == line.npos) continue;
    const std::string controllers = str(",", line.substr(first + 1, second - first - 1), ",");
    const bool v2 = controllers == ",,";
    if (!v2 && controllers.find(",memory,") == controllers.npos) continue;
    std::string path = line.substr(second + 1);
    // Each group is limited by those around it, too.
    for (bool more = true; more; path.erase(std::min(path.rfind('/'), path.size()))) {
      more = path.find('/') != path.npos;
      left = std::min(left, left_in(mount + (v2 ? "" : "/memory") + path, v2 ? kV2 : kV1));
    }
  }
  return left;
}

std::size_t available_memory() {
  return std::min({machine_memory(), group_memory(), left_to_process()});
}

std::string memory_text(double bytes) {
  std::ostringstream out;
  out.imbue(std::locale::classic());
  if (bytes < 0x1p20) return str(static_cast<std::size_t>(bytes), " bytes");
  const bool large = bytes >= 0x1p30;
  out << std::fixed << std::setprecision(2) << bytes * (large ? 0x1p-30 : 0x1p-20);
  return out.str() + (large ? " GiB" : " MiB");
}

}  // namespace crocuta
