// The errors that kernels can throw; framework/base/error.h has the rest of the family.
#pragma once

#include <stdexcept>

namespace crocuta {

// The root of the family: catch this to catch everything Crocuta throws on purpose.
struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};
struct DeviceError : Error {  // a device that is absent, not built in, failing, or not the expected
  using Error::Error;
};

}  // namespace crocuta
