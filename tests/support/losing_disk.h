// What a power cut leaves of a directory: of files the bytes that were synced, and of names either
// those that their directory was synced with, or all.
#pragma once

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>

#include <sys/stat.h>

namespace crocuta::test {

class LosingDisk {
 public:
  // All that is below root now is on the disk.
  explicit LosingDisk(std::string root) : root_(std::move(root)) { sync_all(root_); }

  // To be told of every call that changes the file system, before it is made (FileHook).
  void before(const std::string& call, const std::string& path) {
    forget_removed();
    if (call == "fsync") sync(path);
  }

  // Makes `to` what would be found after a power cut now.
  void after_power_cut(const std::string& to, bool names_survive) const {
    if (names_survive) {
      restore_by_name(root_, to);
    } else {
      restore(*nodes_.at(number(root_)), to);
    }
  }

 private:
  struct Node {
    bool is_directory = false;
    std::string bytes;
    std::map<std::string, std::shared_ptr<Node>> names;
  };
  using Number = ino_t;

  static Number number(const std::filesystem::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  }
  std::shared_ptr<Node> node(const std::filesystem::path& path) {
    std::shared_ptr<Node>& node = nodes_[number(path)];
    if (!node) node = std::make_shared<Node>(Node{std::filesystem::is_directory(path), {}, {}});
    return node;
  }
  void sync(const std::filesystem::path& path) {
    const std::shared_ptr<Node> synced = node(path);
    if (synced->is_directory) {
      synced->names.clear();
      for (const auto& entry : std::filesystem::directory_iterator(path)) {
        synced->names[entry.path().filename()] = node(entry.path());
      }
    } else {
      std::ifstream file(path, std::ios::binary);
      synced->bytes.assign(std::istreambuf_iterator<char>(file), {});
    }
  }
  void sync_all(const std::filesystem::path& path) {
    sync(path);
    if (!std::filesystem::is_directory(path)) return;
    for (const auto& entry : std::filesystem::directory_iterator(path)) sync_all(entry.path());
  }
  // The numbers of files that are gone are given to new ones.
  void forget_removed() {
    std::map<Number, std::shared_ptr<Node>> left = {{number(root_), nodes_[number(root_)]}};
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root_)) {
      const auto found = nodes_.find(number(entry.path()));
      if (found != nodes_.end()) left.insert(*found);
    }
    nodes_ = std::move(left);
  }

  static void restore(const Node& node, const std::filesystem::path& to) {
    if (!node.is_directory) {
      std::ofstream(to, std::ios::binary) << node.bytes;
      return;
    }
    std::filesystem::create_directories(to);
    for (const auto& [name, child] : node.names) restore(*child, to / name);
  }
  void restore_by_name(const std::filesystem::path& from, const std::filesystem::path& to) const {
    std::filesystem::create_directories(to);
    for (const auto& entry : std::filesystem::directory_iterator(from)) {
      const std::filesystem::path path = to / entry.path().filename();
      if (entry.is_directory()) {
        restore_by_name(entry.path(), path);
      } else {
        const auto found = nodes_.find(number(entry.path()));
        std::ofstream(path, std::ios::binary)
            << (found != nodes_.end() ? found->second->bytes : std::string());
      }
    }
  }

  std::string root_;
  std::map<Number, std::shared_ptr<Node>> nodes_;  // of what is there, by inode number
};

}  // namespace crocuta::test
