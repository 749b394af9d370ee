#include "layers/plugin.h"

#include <dlfcn.h>

#include "framework/base/error.h"

namespace crocuta {

void load_plugin(const std::string& path) {
  // Without a slash dlopen() would look in the system's folders, not here.
  const std::string file = path.find('/') == path.npos ? "./" + path : path;
  if (dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL) == nullptr) {
    const char* reason = dlerror();
    throw ArgumentError(str("'", printable(path), "': cannot be loaded as a library of layers: ",
                            printable(reason == nullptr ? "no reason given" : reason, 400)));
  }
}

}  // namespace crocuta
