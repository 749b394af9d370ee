#include "examples/hyena/data/codec.h"

#include <map>
#include <sstream>

#include "examples/hyena/data/fasta.h"
#include "examples/hyena/data/recall.h"
#include "framework/base/error.h"

namespace crocuta::hyena {
namespace {

class RecallCodec : public Codec {
 public:
  explicit RecallCodec(std::int64_t symbols) {
    for (std::int64_t id = 0; id < symbols; ++id) {
      names_.push_back(recall_name(id, symbols));
      ids_[names_.back()] = id;
    }
  }
  std::int64_t vocabulary() const override { return static_cast<std::int64_t>(names_.size()); }
  TokenRange predicted() const override { return {1, vocabulary() - 1}; }
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::istringstream words{std::string(text)};
    std::vector<std::int64_t> tokens;
    for (std::string word; words >> word;) {
      const auto found = ids_.find(word);
      if (found == ids_.end()) {
        throw ArgumentError(str("prompt: expected symbols out of ", names_[1], " .. ",
                                names_[names_.size() - 2], ", => and . with blanks between them, ",
                                "got '", printable(word), "'"));
      }
      tokens.push_back(found->second);
    }
    return tokens;
  }
  std::string decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) {
      if (!text.empty()) text += ' ';
      text += names_.at(static_cast<std::size_t>(token));
    }
    return text;
  }

 private:
  std::vector<std::string> names_;
  std::map<std::string, std::int64_t> ids_;
};

class DnaCodec : public Codec {
 public:
  // A, C, G, T and N have the numbers from `first` on.
  DnaCodec(std::int64_t first, std::int64_t vocabulary) : first_(first), vocabulary_(vocabulary) {}
  std::int64_t vocabulary() const override { return vocabulary_; }
  TokenRange predicted() const override { return {first_, kUnknownBase}; }
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> tokens;
    for (const char c : text) {
      const char upper = static_cast<char>(c >= 'a' && c <= 'z' ? c - 'a' + 'A' : c);
      const std::size_t token = kBases.find(upper == 'U' ? 'T' : upper);
      if (token == std::string_view::npos) {
        throw ArgumentError(str("prompt: expected bases A, C, G, T or N, got '",
                                printable(std::string(1, c)), "'"));
      }
      tokens.push_back(first_ + static_cast<std::int64_t>(token));
    }
    return tokens;
  }
  std::string decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) {
      text += kBases.at(static_cast<std::size_t>(token - first_));
    }
    return text;
  }

 private:
  std::int64_t first_, vocabulary_;
};

class TextCodec : public Codec {
 public:
  std::int64_t vocabulary() const override { return 256; }
  std::vector<std::int64_t> encode(std::string_view text) const override {
    std::vector<std::int64_t> tokens;
    for (const char c : text) tokens.push_back(static_cast<unsigned char>(c));
    return tokens;
  }
  std::string decode(const std::vector<std::int64_t>& tokens) const override {
    std::string text;
    for (const std::int64_t token : tokens) text += static_cast<char>(token);
    return text;
  }
};

}  // namespace

std::unique_ptr<Codec> make_codec(const std::string& task, std::int64_t symbols,
                                  const std::string& codec) {
  if (task == "recall") return std::make_unique<RecallCodec>(symbols);
  if (task == "dna" && codec == "hyenadna") {
    // [CLS] [SEP] [BOS] [MASK] [PAD] [RESERVED] [UNK] A C G T N, and four that nothing has.
    return std::make_unique<DnaCodec>(7, 16);
  }
  if (task == "dna") return std::make_unique<DnaCodec>(0, std::ssize(kBases));
  if (task == "text") return std::make_unique<TextCodec>();
  fail<ArgumentError>("train_hyena", "task", "recall, dna or text", str("'", printable(task), "'"));
}

}  // namespace crocuta::hyena
