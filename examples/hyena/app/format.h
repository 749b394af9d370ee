// Numbers for people.
#pragma once

#include <cstdint>
#include <string>

namespace crocuta::hyena {

// "48,502"
std::string count(std::int64_t value);
// "1 step", "2,000 steps"
std::string counted(std::int64_t value, const std::string& unit);
// With `digits` significant digits: "0.00187"
std::string significant(double value, int digits);
// 16 hexadecimal digits
std::string hexadecimal(std::uint64_t value);
// With `digits` digits after the point; the same in every locale.
std::string fixed(double value, int digits);
// A fraction: "98.4 %"
std::string percent(double fraction);
// "35 s", "4 min 05 s", "2 h 10 min"
std::string duration(double seconds);

}  // namespace crocuta::hyena
