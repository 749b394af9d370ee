// Every layer does what it declares (tests/cases/layers.cpp), and every registered one declares
// something.
#include <regex>
#include <set>

#include "layers/registry.h"
#include "tests/cases/declared.h"
#include "tests/structure/source_tree.h"
#include "tests/support/catch.h"

using namespace crocuta;
using namespace crocuta::test;

namespace {

// Made when first asked for, since main() chooses the device.
const std::vector<Declared>& layers() {
  static const std::vector<Declared> list = declared_layers();
  return list;
}

std::set<std::string> declared_names() {
  std::set<std::string> names;
  for (const Declared& layer : layers()) names.insert(layer.name);
  return names;
}

}  // namespace

TEST_CASE("every layer does what it declares, in every dtype and layout, on every device") {
  for (const Declared& layer : layers()) {
    DYNAMIC_SECTION(layer.name) {
      check_declared(layer, gradient_refusals(layer.samples.front()), 5003);
    }
  }
}

TEST_CASE("every declaration of a layer is complete") {
  for (const Declared& layer : layers()) {
    INFO(layer.name);
    CHECK(missing(layer, gradient_refusals(layer.samples.front())) == "");
  }
}

TEST_CASE("every registered layer declares its tests") {
  const std::vector<std::string> registered = layer_names();
  CHECK(declared_names() == std::set<std::string>(registered.begin(), registered.end()));
}

TEST_CASE("every layer that the sources register is linked here") {
  static const std::regex call(R"re(^CROCUTA_REGISTER_LAYER\("(\w+)")re");
  std::set<std::string> names;
  std::smatch match;
  for (const SourceFile& file : source_files(CROCUTA_SOURCE_DIR)) {
    if (!file.path.starts_with("layers/") && !file.path.starts_with("examples/")) continue;
    for (const std::string& line : file.lines) {
      if (std::regex_search(line, match, call)) names.insert(match[1]);
    }
  }
  CHECK(declared_names() == names);
}
