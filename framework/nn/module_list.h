// ModuleList: children in a row, named by number: "blocks.0", "blocks.1", ...
//
//   blocks_(child<ModuleList<Block>>("blocks", 12, Block::Options{...}))
//   ...
//   for (Block& block : blocks_) x = block(x);
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/nn/module.h"

namespace crocuta {

template <class T>
class ModuleList : public Module {
 public:
  ModuleList() = default;
  // `count` modules, each made from the same arguments.
  template <class... Args>
  explicit ModuleList(std::int64_t count, const Args&... args) {
    for (std::int64_t i = 0; i < count; ++i) append(std::make_unique<T>(args...));
  }

  T& append(std::unique_ptr<T> module) {
    T& added = child(std::to_string(modules_.size()), std::move(module));
    modules_.emplace_back(added);
    return added;
  }
  template <class U = T>
  T& append(const typename U::Options& options) {
    return append(std::make_unique<T>(options));
  }

  std::size_t size() const { return modules_.size(); }
  // Throws std::out_of_range.
  T& operator[](std::size_t i) const { return modules_.at(i); }
  // In order, for (T& module : list).
  auto begin() const { return modules_.begin(); }
  auto end() const { return modules_.end(); }

 private:
  std::vector<std::reference_wrapper<T>> modules_;
};

}  // namespace crocuta
