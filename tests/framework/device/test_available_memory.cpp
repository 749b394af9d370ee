#include "framework/device/available_memory.h"

#include <sys/resource.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

#include "framework/base/error.h"
#include "framework/base/file.h"
#include "framework/device/allocator.h"
#include "tests/support/catch.h"
#include "tests/support/check_op.h"
#include "tests/support/temporary_directory.h"

namespace crocuta::test {
namespace {

void write(const std::string& path, const std::string& text) {
  make_directories(path.substr(0, path.rfind('/')));
  std::ofstream(path) << text;
}

}  // namespace

TEST_CASE("control groups limit memory, those around a group too, and unused pages do not count") {
  const TemporaryDirectory folder;
  const std::string groups = folder.path("groups"), mount = folder.path("mount");
  const auto left = [&](const std::string& text) {
    write(groups, text);
    return group_memory(groups, mount);
  };
  SECTION("version 2") {
    write(mount + "/job/memory.max", "max\n");
    write(mount + "/job/memory.current", "500\n");
    write(mount + "/job/step/memory.max", "1000\n");
    write(mount + "/job/step/memory.current", "700\n");
    write(mount + "/job/step/memory.stat", "anon 5\ninactive_file 200\nactive_file 3\n");
    CHECK(left("0::/job/step\n") == 500);
    CHECK(left("0::/job\n") == SIZE_MAX);
    write(mount + "/job/memory.max", "600\n");
    CHECK(left("0::/job/step\n") == 100);
    write(mount + "/job/memory.max", "400\n");
    CHECK(left("0::/job/step\n") == 0);
  }
  SECTION("version 1, beside a version 2 without limits") {
    write(mount + "/memory/memory.limit_in_bytes", "9223372036854771712\n");
    write(mount + "/memory/memory.usage_in_bytes", "1000\n");
    write(mount + "/memory/box/memory.limit_in_bytes", "1000\n");
    write(mount + "/memory/box/memory.usage_in_bytes", "900\n");
    write(mount + "/memory/box/memory.stat", "cache 7\ntotal_inactive_file 300\n");
    CHECK(left("5:cpu:/x\n4:cpuset,memory:/box\n0::/\n") == 400);
    CHECK(left("4:memory:/not/to/be/seen/in/here\n") == 9223372036854770712u);
  }
  CHECK(left("") == SIZE_MAX);
  CHECK(left("nonsense\n0::/none\n") >= 9223372036854770712u);
  CHECK(group_memory(folder.path("none"), mount) == SIZE_MAX);
}

TEST_CASE("a limit of this process counts, also for tensors") {
  constexpr std::size_t kRoom = std::size_t{200} << 20;
  std::size_t mapped = 0;
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;) {
    if (word == "VmSize:") status >> mapped;
  }
  REQUIRE(mapped > 0);
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_AS, &before) == 0);
  rlimit less = before;
  less.rlim_cur = mapped * 1024 + kRoom;
  REQUIRE(::setrlimit(RLIMIT_AS, &less) == 0);
  const std::size_t available = available_memory();
  const std::string refusal = message_of<OutOfMemory>(
      [&] { deallocate(Device::cpu(), allocate(Device::cpu(), 2 * kRoom), 2 * kRoom); });
  ::setrlimit(RLIMIT_AS, &before);
  CHECK(available <= kRoom);
  CHECK(available_memory() > available);
  CHECK_THAT(refusal, ContainsSubstring("out of memory on cpu: wanted 400.00 MiB, ") &&
                          ContainsSubstring(" MiB free; "));
}

TEST_CASE("amounts of memory are told in units that suit them") {
  CHECK(memory_text(1000) == "1000 bytes");
  CHECK(memory_text(1.5 * (1 << 20)) == "1.50 MiB");
  CHECK(memory_text(0x1p40) == "1024.00 GiB");
}

}  // namespace crocuta::test
