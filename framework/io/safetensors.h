// Tensors in files: the safetensors format, read strictly and written deterministically.
// Source: https://github.com/huggingface/safetensors#format
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <string>

#include "framework/nn/module.h"

namespace crocuta {

struct Safetensors {
  StateDict tensors;
  std::map<std::string, std::string> metadata;
};

// Reads a file; the tensors are on the CPU. The whole header is checked against the file's size
// before anything is allocated, and nothing is accepted that the format's reference implementation
// refuses. Throws FormatError naming the file and what is wrong with it; IoError if the file cannot
// be read or changes meanwhile. NaNs are read, with a warning.
Safetensors load_safetensors(const std::string& path);

// Writes a file beside and renames it, so that a failure leaves an existing one as it was. The same
// tensors and metadata give the same bytes. Throws ArgumentError for what load_safetensors() would
// not read back (undefined tensors, names over 512 bytes or not UTF-8), and IoError.
void save_safetensors(const std::string& path, const StateDict& tensors,
                      const std::map<std::string, std::string>& metadata = {});

// The file's bytes, piece by piece.
using ByteSink = std::function<void(const void* data, std::size_t bytes)>;
void write_safetensors(const StateDict& tensors, const std::map<std::string, std::string>& metadata,
                       const ByteSink& sink);

}  // namespace crocuta
