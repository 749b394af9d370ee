#include "layers/registry.h"

#include <algorithm>

#include "framework/base/error.h"
#include "tests/support/catch.h"

using namespace crocuta;

namespace {

// All registered names, as messages list them.
std::string known() {
  std::string list;
  for (const std::string& name : layer_names()) list += (list.empty() ? "" : ", ") + name;
  return list;
}

}  // namespace

TEST_CASE("layers of a library that nothing refers to are registered, and names are in order") {
  const std::vector<std::string> names = layer_names();
  CHECK(std::is_sorted(names.begin(), names.end()));
  for (const char* name : {"Linear", "Scale", "Shift", "Twice"}) {
    CAPTURE(name);
    CHECK(std::count(names.begin(), names.end(), name) == 1);
  }
}

TEST_CASE("a layer is made from its configuration") {
  const auto scale = make_layer("Scale", Config::parse(R"({"scale": 3})"));
  CHECK(scale->state_dict().at("scale").item() == 3);
  CHECK(make_layer("Scale", Config())->state_dict().at("scale").item() == 2);
  CHECK((*make_layer("Shift", Config::parse(R"({"shift": 3})")))(tensor({1, 2}))
            .to_vector<double>() == std::vector<double>{4, 5});
}

TEST_CASE("an unknown name lists the known ones and suggests the nearest") {
  CHECK_THROWS_AS(make_layer("Scal", Config()), ArgumentError);
  CHECK_THROWS_WITH(
      make_layer("Scal", Config()),
      "registry: unknown layer 'Scal' (did you mean 'Scale'?); known layers: " + known());
  CHECK_THROWS_WITH(make_layer("x\x1b", Config()),
                    "registry: unknown layer 'x\\x1b'; known layers: " + known());
}

TEST_CASE("a key that the layer does not know is an error, though the layer forgot to look") {
  CHECK_THROWS_AS(make_layer("Scale", Config::parse(R"({"scael": 3})")), ArgumentError);
  CHECK_THROWS_WITH(make_layer("Scale", Config::parse(R"({"scael": 3})", "c.json")),
                    "c.json: line 1: unknown key 'scael' (did you mean 'scale'?)");
}

TEST_CASE("a name registered twice is an error") {
  CHECK_THROWS_AS(make_layer("Twice", Config()), ArgumentError);
  CHECK_THROWS_WITH(make_layer("Twice", Config()),
                    "registry: two layers are registered as 'Twice'");
  CHECK_THROWS_AS(register_layer("Scale", nullptr), ArgumentError);
  CHECK_THROWS_WITH(register_layer("Scale", nullptr),
                    "register_layer: 'name': expected a name not yet taken, got 'Scale'");
}
