// A FASTA file. Where it is cut into pieces must not matter.
#include "examples/hyena/data/fasta.h"
#include "tests/fuzz/target.h"

using namespace crocuta;
using namespace crocuta::fuzz;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = text_of(data, size);
  hyena::FastaParser whole("file"), pieces("file");
  const std::string error = error_of([&] {
    whole.feed(text);
    whole.finish();
  });
  const std::string same = error_of([&] {
    for (std::size_t at = 0, length = 1; at < text.size(); at += length, length = at % 7 + 1) {
      pieces.feed(text.substr(at, length));
    }
    pieces.finish();
  });
  require(error == same, "pieces give the same error");
  if (!error.empty()) return 0;
  require(whole.tokens() == pieces.tokens(), "pieces give the same tokens");
  require(whole.warnings() == pieces.warnings(), "pieces give the same warnings");
  require(!whole.tokens().empty() && whole.records() > 0, "there are bases, in a record");
  for (const std::uint8_t token : whole.tokens()) require(token < 5, "tokens are bases");
  return 0;
}
