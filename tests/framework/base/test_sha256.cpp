#include "framework/base/sha256.h"

#include "tests/support/catch.h"

using namespace crocuta;

// The examples that NIST publishes with FIPS 180-4.
TEST_CASE("the published digests are met") {
  CHECK(sha256_hex("") == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(sha256_hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq") ==
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
  CHECK(sha256_hex("abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmno"
                   "ijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrstu") ==
        "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1");
  CHECK(sha256_hex(std::string(1000000, 'a')) ==
        "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST_CASE("the digest does not depend on how the text is cut up") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += static_cast<char>(i * 7);
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    Sha256 hash;
    hash.update(text.substr(0, cut));
    hash.update(text.substr(cut));
    if (hash.hex() != sha256_hex(text)) FAIL("cut at " << cut);
  }
  Sha256 hash;
  for (const char c : text) hash.update(&c, 1);
  CHECK(hash.hex() == sha256_hex(text));
  CHECK(hash.hex() == hash.hex());  // reading the digest changes nothing
}

TEST_CASE("lengths around the block size differ from one another") {
  std::string previous = sha256_hex(std::string(50, 'x'));
  for (std::size_t length = 51; length < 140; ++length) {
    const std::string digest = sha256_hex(std::string(length, 'x'));
    if (digest == previous) FAIL("length " << length);
    previous = digest;
  }
  // Padding just fits into the block (55), and just does not (56).
  CHECK(sha256_hex(std::string(55, 'a')) ==
        "9f4390f8d30c2dd92ec9f095b65e2b9ae9b0a925a5258e241c9f1e910f734318");
  CHECK(sha256_hex(std::string(56, 'a')) ==
        "b35439a4ac6f0948b6d6f9e3c6af0f5f590ce20f1bde7090ef7970686ec6738a");
}
