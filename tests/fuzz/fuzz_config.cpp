// A configuration file; what follows a NUL byte is given to --set, line by line.
#include "examples/hyena/options.h"
#include "framework/base/config.h"
#include "tests/fuzz/target.h"

using namespace crocuta;
using namespace crocuta::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  const std::size_t nul = std::min(text.find('\0'), text.size());
  Config config;
  if (!error_of([&] { config = Config::parse(text.substr(0, nul), "file"); }).empty()) return 0;

  for (std::size_t begin = nul + 1; begin < text.size();) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string before = config.dump();
    const std::string error = error_of([&] { config.set(text.substr(begin, end - begin)); });
    require(error.empty() || config.dump() == before, "a refused value changes nothing");
    begin = end + 1;
  }

  const std::string dumped = config.dump();
  const Config again = Config::parse(dumped, "dumped");
  require(again.dump() == dumped, "a configuration is read back as written");
  require(again.differences(config).empty(), "and does not differ from what was written");
  Config merged = config;
  merged.merge(again);
  require(merged.dump() == dumped, "merging with the same changes nothing");

  error_of([&] { hyena::read_options(config); });
  return 0;
}
