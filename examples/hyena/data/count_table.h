// How often keys occurred, for keys of which few or nearly all are used.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <span>
#include <vector>

namespace crocuta::hyena {

// A value for each key in a range, at first Value{}: an array where that is not much larger than
// the `expected` number of values, else a hash table with linear probing that grows with what is in
// it.
template <class Value>
class CountTable {
 public:
  // Forgets everything, for keys in [begin, end).
  void reset(std::uint64_t begin, std::uint64_t end, std::uint64_t expected) {
    begin_ = begin;
    dense_ = end - begin <= 16 * expected + 1024;
    used_ = 0;
    keys_.clear();
    values_.clear();
    if (dense_) {
      values_.resize(end - begin);
    } else {
      resize(1024);
    }
  }

  // The value of a key, to be changed.
  Value& operator[](std::uint64_t key) { return dense_ ? values_[key - begin_] : hashed(key); }
  const Value& at(std::uint64_t key) const { return values_[dense_ ? key - begin_ : find(key)]; }
  // Calls f(key, value) for all keys in use, and maybe others, whose value is Value{}.
  template <class F>
  void for_each(F&& f) const {
    for (std::size_t i = 0; i < values_.size(); ++i) {
      if (dense_) {
        f(begin_ + i, values_[i]);
      } else if (keys_[i] != 0) {
        f(keys_[i] - 1, values_[i]);
      }
    }
  }

  // The array, one element per key of the range; empty if this is a hash table.
  std::span<Value> array() { return dense_ ? std::span<Value>(values_) : std::span<Value>(); }

 private:
  Value& hashed(std::uint64_t key) {
    std::uint64_t slot = find(key);
    if (keys_[slot] == 0) {
      if (2 * ++used_ > keys_.size()) {
        resize(2 * keys_.size());
        slot = find(key);
      }
      keys_[slot] = key + 1;
    }
    return values_[slot];
  }
  std::uint64_t find(std::uint64_t key) const {
    std::uint64_t slot = (key * 0x9e3779b97f4a7c15u) >> shift_;
    while (keys_[slot] != 0 && keys_[slot] != key + 1) slot = (slot + 1) & (keys_.size() - 1);
    return slot;
  }
  // Slots are a power of two, more than twice as many as are used.
  void resize(std::uint64_t slots) {
    std::vector<std::uint64_t> keys(slots);
    std::vector<Value> values(slots);
    shift_ = 64 - std::countr_zero(slots);
    keys.swap(keys_);
    values.swap(values_);
    for (std::size_t i = 0; i < keys.size(); ++i) {
      if (keys[i] == 0) continue;
      const std::uint64_t slot = find(keys[i] - 1);
      keys_[slot] = keys[i];
      values_[slot] = values[i];
    }
  }

  std::uint64_t begin_ = 0, used_ = 0;
  bool dense_ = true;
  int shift_ = 0;
  std::vector<std::uint64_t> keys_;  // key + 1; 0 where a slot is free
  std::vector<Value> values_;
};

}  // namespace crocuta::hyena
