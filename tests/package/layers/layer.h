// A header of the project's own that has the name of one of Crocuta's.
#pragma once

namespace outside {
inline constexpr int kLayers = 2;
}
