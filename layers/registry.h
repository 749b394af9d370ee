// Layers by name, so that configuration can ask for them.
//
//   class Gate : public Layer {
//    public:
//     explicit Gate(const Config& config);  // reads its options, then calls config.finish()
//     ...
//   };
//   CROCUTA_REGISTER_LAYER("Gate", Gate);           // in gate.cpp
//
// The library that holds the layer must be linked whole: crocuta_registered_library() in CMake.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "framework/base/config.h"
#include "layers/layer.h"

namespace crocuta {

using LayerFactory = std::unique_ptr<Layer> (*)(const Config& config);

// Makes a layer. Throws ArgumentError for an unknown name, listing the known ones, and for a
// configuration with a key that the layer did not ask for, as well as what the layer throws.
std::unique_ptr<Layer> make_layer(std::string_view name, const Config& config);

// The registered names, sorted.
std::vector<std::string> layer_names();

// Throws ArgumentError if the name is taken.
void register_layer(const std::string& name, LayerFactory factory);

namespace detail {
// Registers before main(), where nothing may throw: a name taken twice is remembered, and an error
// as soon as somebody asks for that name.
struct Registrar {
  Registrar(const char* name, LayerFactory factory) noexcept;
};
}  // namespace detail

#define CROCUTA_JOIN_(a, b) a##b
#define CROCUTA_JOIN(a, b) CROCUTA_JOIN_(a, b)
#define CROCUTA_REGISTER_LAYER(name, Type)                                             \
  static const ::crocuta::detail::Registrar CROCUTA_JOIN(registrar_, __COUNTER__)(     \
      name, [](const ::crocuta::Config& config) -> std::unique_ptr<::crocuta::Layer> { \
        return std::make_unique<Type>(config);                                         \
      })

}  // namespace crocuta
