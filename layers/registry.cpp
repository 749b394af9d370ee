#include "layers/registry.h"

#include <map>
#include <mutex>

#include "framework/base/did_you_mean.h"
#include "framework/base/error.h"

namespace crocuta {
namespace {

class Registry {
 public:
  bool add(const std::string& name, LayerFactory factory) {
    const std::lock_guard lock(mutex_);
    return entries_.emplace(name, Entry{factory}).second;
  }
  void mark_ambiguous(const std::string& name) {
    const std::lock_guard lock(mutex_);
    entries_.at(name).ambiguous = true;
  }

  LayerFactory find(std::string_view name) const {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(name);
    if (found == entries_.end()) unknown(name);
    if (found->second.ambiguous) {
      throw ArgumentError(str("registry: two layers are registered as '", printable(name), "'"));
    }
    return found->second.factory;
  }

  std::vector<std::string> names() const {
    const std::lock_guard lock(mutex_);
    return locked_names();
  }

 private:
  struct Entry {
    LayerFactory factory;
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

void register_layer(const std::string& name, LayerFactory factory) {
  if (!registry().add(name, factory)) {
    fail<ArgumentError>("register_layer", "name", "a name not yet taken",
                        str("'", printable(name), "'"));
  }
}

detail::Registrar::Registrar(const char* name, LayerFactory factory) noexcept {
  if (!registry().add(name, factory)) registry().mark_ambiguous(name);
}

std::unique_ptr<Layer> make_layer(std::string_view name, const Config& config) {
  const LayerFactory factory = registry().find(name);
  // A copy, since a Config notes what is asked of it and threads may share the original.
  const Config own = config;
  std::unique_ptr<Layer> layer = factory(own);
  own.finish();
  return layer;
}

std::vector<std::string> layer_names() {
  return registry().names();
}

}  // namespace crocuta
