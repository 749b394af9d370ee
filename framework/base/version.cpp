#include "framework/base/version.h"

namespace crocuta {

std::string_view version() {
  return CROCUTA_VERSION;
}

}  // namespace crocuta
