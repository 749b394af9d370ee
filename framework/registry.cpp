#include "framework/registry.h"

#include <map>
#include <mutex>
#include <typeinfo>

#include "framework/did_you_mean.h"
#include "framework/error.h"

namespace crocuta {
namespace {

class Registry {
 public:
  bool add(const std::string& name, const LayerEntry& entry) {
    const std::lock_guard lock(mutex_);
    return entries_.emplace(name, Entry{entry}).second;
  }
  void mark_ambiguous(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_.at(name).ambiguous = true;
  }

  LayerEntry find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) unknown(name);
    if (found->second.ambiguous) {
      throw ArgumentError(str("registry: two layers are registered as '", printable(name), "'"));
    }
    return found->second.entry;
  }

  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    return locked_names();
  }

 private:
  struct Entry {
    LayerEntry entry;
    bool ambiguous = false;
  };

  std::vector<std::string> locked_names() const {
    std::vector<std::string> names;
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  [[noreturn]] void unknown(std::string_view name) const {
    const std::vector<std::string> names = locked_names();
    std::string list;
    for (const std::string& known : names) list += (list.empty() ? "" : ", ") + known;
    throw ArgumentError(
        str("registry: unknown layer '", printable(name), "'", did_you_mean(name, names),
            "; known layers: ", list.empty() ? "none, is the library linked whole?" : list));
  }

  mutable std::mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_;
};

// Made on first use, since registrations run before main() in any order.
Registry& registry() {
  static Registry registry;
  return registry;
}

}  // namespace

void register_layer(const std::string& name, const LayerEntry& entry) {
  if (!registry().add(name, entry)) {
    fail<ArgumentError>("register_layer", "name", "a name not yet taken",
                        str("'", printable(name), "'"));
  }
}

detail::Registrar::Registrar(const char* name, const LayerEntry& entry) noexcept {
  if (!registry().add(name, entry)) registry().mark_ambiguous(name);
}

std::unique_ptr<Module> make_layer(std::string_view name, const Config& config) {
  const LayerEntry entry = registry().find(name);
  // A copy, since a Config notes what is asked of it and threads may share the original.
  const Config own = config;
  std::unique_ptr<Module> layer = entry.make(own);
  own.finish();
  return layer;
}

Tensor call_layer(std::string_view name, Module& layer, const std::vector<Tensor>& inputs,
                  const ProcessGroup& cp_group) {
  const LayerEntry entry = registry().find(name);
  if (inputs.size() != entry.inputs) {
    fail<ArgumentError>(name, "inputs",
                        str(entry.inputs, entry.inputs == 1 ? " tensor" : " tensors"),
                        std::to_string(inputs.size()));
  }
  try {
    return entry.forward(layer, inputs, cp_group);
  } catch (const std::bad_cast&) {
    fail<ArgumentError>("call_layer", "layer", str("a layer made as '", name, "'"),
                        "one of another type");
  }
}

std::vector<std::string> layer_names() {
  return registry().names();
}

TensorOptions tensor_options(const Config& config) {
  TensorOptions options;
  const std::string dtype = config.get_string("dtype", "float32");
  bool valid = false;
  for (const DType floating : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    if (dtype == name(floating)) options.dtype = floating, valid = true;
  }
  if (!valid) {
    fail<DTypeError>(config.where("dtype"), "dtype", "float32, float64, bfloat16 or float16",
                     str("'", printable(dtype), "'"));
  }
  options.device =
      config.has("device") ? parse_device(config.get_string("device")) : default_device();
  return options;
}

}  // namespace crocuta
