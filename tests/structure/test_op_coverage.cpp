#include <regex>
#include <set>
#include <string>

#include "tests/structure/source_tree.h"
#include "tests/support/catch.h"

using namespace crocuta::test;

namespace {

const std::string kRoot = CROCUTA_SOURCE_DIR;

// Ops without a gradient of their own: results outside the graph.
const std::set<std::string> kNoGradient = {"argmax", "squared_norm"};

std::set<std::string> declared_ops(const SourceFile& header) {
  static const std::regex declaration(R"(^Tensor (\w+)\()");
  std::set<std::string> ops;
  std::smatch match;
  for (const std::string& line : header.lines) {
    if (std::regex_search(line, match, declaration)) ops.insert(match[1]);
  }
  return ops;
}

// True if the file tests gradients and mentions the op as code: a call, or a bound function.
bool covers(const SourceFile& test, const std::string& op) {
  const std::regex use(R"re((^|[^\w"]))re" + op + R"re(\b[^:\w])re");
  bool checks = false, uses = false;
  for (const std::string& line : test.lines) {
    const bool title = line.starts_with("TEST_CASE");
    checks = checks || line.find("check_op(") != std::string::npos ||
             line.find("gradcheck(") != std::string::npos;
    uses = uses || (!title && std::regex_search(line, use));
  }
  return checks && uses;
}

}  // namespace

TEST_CASE("every op of framework/ops.h goes through check_op or gradcheck") {
  std::set<std::string> untested;
  const std::vector<SourceFile> files = source_files(kRoot);
  for (const SourceFile& file : files) {
    if (file.path == "framework/ops.h") untested = declared_ops(file);
  }
  CHECK(untested.size() >= 45);
  for (const std::string& op : kNoGradient) CHECK(untested.erase(op) == 1);
  for (const SourceFile& file : files) {
    if (!file.path.starts_with("tests/framework/test_ops_")) continue;
    std::erase_if(untested, [&](const std::string& op) { return covers(file, op); });
  }
  CHECK(untested == std::set<std::string>{});
}

TEST_CASE("an op that is only talked about counts as untested") {
  const std::string check = "  check_op({.fn = f});";
  CHECK(covers({"t.cpp", {check, "  y = silu(x);"}}, "silu"));
  CHECK(covers({"t.cpp", {check, "  bind(silu)"}}, "silu"));
  CHECK(!covers({"t.cpp", {check, "TEST_CASE(\"a silu (fast)\")"}}, "silu"));
  CHECK(!covers({"t.cpp", {check, "  y = my_silu(x);"}}, "silu"));
  CHECK(!covers({"t.cpp", {"  y = silu(x);"}}, "silu"));
}
