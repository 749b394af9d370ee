// Every op does what it declares (tests/cases/), and every public one declares something.
#include <algorithm>
#include <regex>
#include <set>

#include "tests/cases/declared.h"
#include "tests/structure/source_tree.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

const std::string kRoot = CROCUTA_SOURCE_DIR;

// Made when first asked for, since main() chooses the device.
const std::vector<Declared>& ops() {
  static const std::vector<Declared> list = declared_ops();
  return list;
}

// The functions declared in a header whose declarations begin lines: those of framework/ops/ops.h.
// Operators are left out; they are other names of functions.
std::set<std::string> declared_functions(const SourceFile& header) {
  static const std::regex declaration(R"(^(?:inline )?[\w:<>]+[&*]? (\w+)\()");
  std::set<std::string> names;
  std::smatch match;
  for (const std::string& line : header.lines) {
    if (std::regex_search(line, match, declaration)) names.insert(match[1]);
  }
  return names;
}

// The names under which a file records ops in the graph, where it spells them out.
std::set<std::string> recorded_names(const SourceFile& file) {
  static const std::regex call(R"re(\b(?:record|apply|apply_from_result)\(\s*"(\w+)")re");
  std::string text;
  for (const std::string& line : file.lines) text += line + "\n";
  std::set<std::string> names;
  for (std::sregex_iterator i(text.begin(), text.end(), call), end; i != end; ++i) {
    names.insert((*i)[1]);
  }
  return names;
}

}  // namespace

TEST_CASE("every op does what it declares, in every dtype and layout, on every device") {
  for (const Declared& op : ops()) {
    DYNAMIC_SECTION(op.name) {
      check_declared(op, op_refusals(op));
    }
  }
}

TEST_CASE("every declaration of an op is complete") {
  std::set<std::string> names;
  for (const Declared& op : ops()) {
    INFO(op.name);
    CHECK(names.insert(op.name).second);
    CHECK(missing(op, op_refusals(op)) == "");
  }
}

TEST_CASE(
    "every op of framework/ops/ops.h, and whatever else is recorded as one, declares its tests") {
  std::set<std::string> undeclared;
  for (const SourceFile& file : source_files(kRoot)) {
    if (file.path == "framework/ops/ops.h") undeclared.merge(declared_functions(file));
    if (file.path.starts_with("framework/ops/")) undeclared.merge(recorded_names(file));
  }
  CHECK(undeclared.size() >= 47);
  CHECK(undeclared.count("to") == 1);  // a member of Tensor, found by what it records
  for (const Declared& op : ops()) {
    INFO(op.name);
    CHECK(undeclared.erase(op.name) == 1);
  }
  CHECK(undeclared == std::set<std::string>{});
}

TEST_CASE("functions are found in a header's text, and ops in a source's") {
  const SourceFile header = {"h.h",
                             {"Tensor silu(const Tensor& x);", "// Tensor gelu(", "  Tensor inner(",
                              "inline Tensor twice(const Tensor& x) {", "struct Options {",
                              "std::vector<Tensor> split(const Tensor& x, int n);",
                              "inline Tensor operator-(const Tensor& x) {"}};
  CHECK(declared_functions(header) == std::set<std::string>{"silu", "twice", "split"});
  const SourceFile source = {"s.cpp",
                             {"  return record(", "      \"layer_norm\", std::move(y), {x},",
                              "  return apply(\"sin\", x, kernels::Sin{});", "// no_record(\"a\")",
                              "  return record(name, y, {x});"}};
  CHECK(recorded_names(source) == std::set<std::string>{"layer_norm", "sin"});
}

TEST_CASE("what an incomplete declaration lacks is named") {
  const auto find = [](const std::string& name) {
    for (const Declared& op : ops()) {
      if (op.name == name) return op;
    }
    throw Error(name);
  };
  Declared op = find("softmax");
  const std::vector<Refusal> common = op_refusals(op);
  CHECK(missing(op, common) == "");
  CHECK(missing(op, {}) == "expected 5 refusals, got 1");
  const auto without = [&](const std::function<bool(const OpCheck&)>& is) {
    Declared less = op;
    std::erase_if(less.samples, is);
    return missing(less, common);
  };
  CHECK(without([](const OpCheck& s) { return s.inputs[0].numel() == 0; }) ==
        "expected an empty sample");
  CHECK(without([](const OpCheck& s) {
          const Shape& shape = s.inputs[0].shape();
          return s.inputs[0].numel() > 0 && std::any_of(shape.begin(), shape.end(),
                                                        [](auto n) { return n > 4 && n % 4 != 0; });
        }) == "expected a sample of an awkward size");
  CHECK(without([](const OpCheck& s) {
          return s.inputs[0].dim() > 1 && s.inputs[0].numel() > 0;
        }) == "expected a sample of two dimensions");
  op.samples[2].dtypes = {DType::float32};
  CHECK(missing(op, common) == "expected all samples to cover float64");
  op = find("linear");
  op.samples.erase(op.samples.begin(), op.samples.begin() + 4);  // those with a bias
  CHECK(missing(op, common) == "expected the first sample to have all arguments");
}
