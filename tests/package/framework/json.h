// Another.
#pragma once

namespace outside {
inline constexpr const char* kFile = "outside.safetensors";
}
