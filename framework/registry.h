// Layers by name, so that configuration can ask for them.
//
//   class Gate : public Module {
//    public:
//     explicit Gate(const Config& config);       // reads its options, then config.finish()
//     Tensor forward(const Tensor& x) const;     // or (x, y), or (x, const ProcessGroup&)
//   };
//   REGISTER_LAYER("Gate", Gate)                 // in gate.cpp, inside or outside the namespace
//
// The library that holds the layer must be linked whole: crocuta_registered_library() in CMake.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "framework/config.h"
#include "framework/module.h"

namespace crocuta {

class ProcessGroup;  // distributed/process_group.h

// Makes a layer. Throws ArgumentError for an unknown name, listing the known ones, and for a
// configuration with a key that the layer did not ask for, as well as what the layer throws.
std::unique_ptr<Module> make_layer(std::string_view name, const Config& config);

// Calls forward() of a layer that make_layer(name, ...) made. Layers that do not know of context
// parallelism are given no group. Throws ArgumentError unless there are as many inputs as forward()
// takes, as well as what it throws.
Tensor call_layer(std::string_view name, Module& layer, const std::vector<Tensor>& inputs,
                  const ProcessGroup& cp_group);

// The registered names, sorted.
std::vector<std::string> layer_names();

// The keys that every layer has: `dtype`, a floating one (default float32), and `device` (default
// default_device()). Throws DTypeError and DeviceError.
TensorOptions tensor_options(const Config& config);

struct LayerEntry {
  std::unique_ptr<Module> (*make)(const Config& config);
  Tensor (*forward)(Module& layer, const std::vector<Tensor>& inputs, const ProcessGroup& cp_group);
  std::size_t inputs;  // how many tensors forward takes
};
// Throws ArgumentError if the name is taken.
void register_layer(const std::string& name, const LayerEntry& entry);

namespace detail {

template <class T, std::size_t... I>
constexpr bool takes_group(std::index_sequence<I...>) {
  return requires(T & layer, const std::vector<Tensor>& x, const ProcessGroup& group) {
    layer.forward(x[I]..., group);
  };
}
template <class T, std::size_t... I>
constexpr bool takes(std::index_sequence<I...> all) {
  return takes_group<T>(all) || requires(T & layer, const std::vector<Tensor>& x) {
    layer.forward(x[I]...);
  };
}

// The number of tensors that T::forward takes.
template <class T, std::size_t N = 1>
constexpr std::size_t count_inputs() {
  static_assert(N <= 4, "forward() must take one to four tensors, then optionally a ProcessGroup");
  if constexpr (N > 4 || takes<T>(std::make_index_sequence<N>())) {
    return N;
  } else {
    return count_inputs<T, N + 1>();
  }
}

template <class T, std::size_t... I>
Tensor forward(T& layer, const std::vector<Tensor>& x, const ProcessGroup& group,
               std::index_sequence<I...> all) {
  if constexpr (takes_group<T>(all)) {
    return layer.forward(x[I]..., group);
  } else {
    return layer.forward(x[I]...);
  }
}

template <class T>
LayerEntry layer_entry() {
  constexpr std::size_t kInputs = count_inputs<T>();
  return {
      [](const Config& config) -> std::unique_ptr<Module> { return std::make_unique<T>(config); },
      [](Module& layer, const std::vector<Tensor>& inputs, const ProcessGroup& group) {
        return forward(dynamic_cast<T&>(layer), inputs, group, std::make_index_sequence<kInputs>());
      },
      kInputs};
}

// Registers before main(), where nothing may throw: a name taken twice is remembered, and an error
// as soon as the name is used.
struct Registrar {
  Registrar(const char* name, const LayerEntry& entry) noexcept;
};

}  // namespace detail

#define CROCUTA_JOIN_(a, b) a##b
#define CROCUTA_JOIN(a, b) CROCUTA_JOIN_(a, b)
#define REGISTER_LAYER(name, Type)                                                 \
  static const ::crocuta::detail::Registrar CROCUTA_JOIN(registrar_, __COUNTER__)( \
      name, ::crocuta::detail::layer_entry<Type>());

}  // namespace crocuta
