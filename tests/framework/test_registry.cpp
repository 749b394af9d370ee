#include "framework/registry.h"

#include "framework/error.h"
#include "tests/support/catch.h"

namespace crocuta {
class ProcessGroup {  // the same stand-in as in registered_layers.cpp
 public:
  double factor = 1;
};
}  // namespace crocuta

using namespace crocuta;

TEST_CASE("layers of a library that nothing refers to are registered") {
  CHECK(layer_names() == std::vector<std::string>{"Difference", "Grouped", "Scale", "Twice"});
}

TEST_CASE("a layer is made from configuration and called with its inputs") {
  const auto scale = make_layer("Scale", Config::parse(R"({"scale": 3, "dtype": "float64"})"));
  const Tensor x = from_vector<double>({1, 2}, {2});
  const Tensor y = call_layer("Scale", *scale, {x}, ProcessGroup());
  CHECK(y.dtype() == DType::float64);
  CHECK(y.to_vector<double>() == std::vector<double>{3, 6});
  CHECK(scale->state_dict().count("scale") == 1);

  const auto difference = make_layer("Difference", Config());
  CHECK(call_layer("Difference", *difference, {tensor({5}), tensor({3})}, ProcessGroup()).item() ==
        2);
}

TEST_CASE("a layer that takes a process group is given it") {
  const auto layer = make_layer("Grouped", Config());
  ProcessGroup group;
  group.factor = 7;
  CHECK(call_layer("Grouped", *layer, {tensor({2})}, group).item() == 14);
}

TEST_CASE("calls that do not fit are errors") {
  const auto scale = make_layer("Scale", Config());
  const Tensor x = tensor({1});
  CHECK_THROWS_AS(call_layer("Scale", *scale, {}, ProcessGroup()), ArgumentError);
  CHECK_THROWS_WITH(call_layer("Scale", *scale, {x, x}, ProcessGroup()),
                    "Scale: 'inputs': expected 1 tensor, got 2");
  CHECK_THROWS_WITH(call_layer("Difference", *scale, {x, x}, ProcessGroup()),
                    "call_layer: 'layer': expected a layer made as 'Difference', got one of "
                    "another type");
}

TEST_CASE("an unknown name lists the known ones and suggests the nearest") {
  CHECK_THROWS_AS(make_layer("Scal", Config()), ArgumentError);
  CHECK_THROWS_WITH(make_layer("Scal", Config()),
                    "registry: unknown layer 'Scal' (did you mean 'Scale'?); known layers: "
                    "Difference, Grouped, Scale, Twice");
  CHECK_THROWS_WITH(make_layer("x\x1b", Config()),
                    "registry: unknown layer 'x\\x1b'; known layers: Difference, Grouped, Scale, "
                    "Twice");
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
  CHECK_THROWS_AS(register_layer("Scale", LayerEntry{}), ArgumentError);
  CHECK_THROWS_WITH(register_layer("Scale", LayerEntry{}),
                    "register_layer: 'name': expected a name not yet taken, got 'Scale'");
}

TEST_CASE("dtype and device are read from configuration") {
  CHECK(tensor_options(Config()).dtype == DType::float32);
  CHECK(tensor_options(Config()).device == default_device());
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    Config config;
    config.set("dtype", name(dtype));
    config.set("device", "cpu");
    CHECK(tensor_options(config).dtype == dtype);
    CHECK(tensor_options(config).device == Device::cpu());
  }
  const auto options = [](const char* text) {
    return tensor_options(Config::parse(text, "c.json"));
  };
  CHECK_THROWS_AS(options(R"({"dtype": "int64"})"), DTypeError);
  CHECK_THROWS_WITH(options(R"({"dtype": "int64"})"),
                    "c.json: line 1: 'dtype': expected float32, float64, bfloat16 or float16, got "
                    "'int64'");
  CHECK_THROWS_AS(options(R"({"dtype": "f32"})"), DTypeError);
  CHECK_THROWS_AS(options(R"({"dtype": 32})"), ArgumentError);
  CHECK_THROWS_AS(options(R"({"device": "tpu"})"), DeviceError);
  CHECK_THROWS_AS(options(R"({"device": 0})"), ArgumentError);
}
