// What a power cut leaves of a directory: of files the bytes that were synced, and of the changes of
// names those that their directory was synced after, with any of the others, in any order.
#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/stat.h>

namespace crocuta::test {

class LosingDisk {
 public:
  // All that is below root now is on the disk.
  explicit LosingDisk(std::string root) : root_(std::move(root)) {
    notice();
    for (const auto& [number, node] : nodes_) node->synced = node->names;
    changes_.clear();
    sync_files(root_);
  }

  // To be told of every call that changes the file system, before it is made (FileHook).
  void before(const std::string& call, const std::string& path) {
    notice();
    if (call == "fsync") sync(path);
  }

  // The number of ways in which a power cut now may end: each change of names that is not synced is
  // on the disk or not. 0: none is; the last: all are.
  std::uint64_t ends() {
    notice();
    return std::uint64_t{1} << changes_.size();
  }

  // Makes `to` what would be found after a power cut now. Bit i of `end`: the i-th change survives.
  void after_power_cut(const std::string& to, std::uint64_t end) {
    notice();
    std::map<const Node*, Names> found;
    for (std::size_t i = 0; i < changes_.size(); ++i) {
      if ((end >> i & 1) == 0) continue;
      for (const Entry& entry : changes_[i]) {
        Names& names =
            found.try_emplace(entry.directory.get(), entry.directory->synced).first->second;
        put(names, entry);
      }
    }
    restore(*nodes_.at(number(root_)), found, to);
  }

 private:
  struct Node;
  using Names = std::map<std::string, std::shared_ptr<Node>>;
  struct Node {
    bool is_directory = false;
    std::string bytes;  // that were synced
    Names names, synced;
  };
  // That a name in a directory now means another file, or none.
  struct Entry {
    std::shared_ptr<Node> directory;
    std::string name;
    std::shared_ptr<Node> node;
  };
  using Change = std::vector<Entry>;  // by one call: all or nothing
  using Number = ino_t;

  static Number number(const std::filesystem::path& path) {
    struct stat info {};
    return ::lstat(path.c_str(), &info) == 0 ? info.st_ino : 0;
  }
  std::shared_ptr<Node> node(const std::filesystem::path& path) {
    std::shared_ptr<Node>& node = nodes_[number(path)];
    if (!node) {
      node = std::make_shared<Node>();
      node->is_directory = std::filesystem::is_directory(path);
    }
    return node;
  }
  static void put(Names& names, const Entry& entry) {
    if (entry.node) {
      names[entry.name] = entry.node;
    } else {
      names.erase(entry.name);
    }
  }

  // Finds out what the call before did to names.
  void notice() {
    Change change;
    std::map<Number, std::shared_ptr<Node>> here;
    look(root_, change, here);
    if (!change.empty()) changes_.push_back(change);
    nodes_ = std::move(here);  // the numbers of files that are gone are given to new ones
  }
  void look(const std::filesystem::path& path, Change& change,
            std::map<Number, std::shared_ptr<Node>>& here) {
    const std::shared_ptr<Node> directory = node(path);
    here[number(path)] = directory;
    Names names;
    for (const auto& entry : std::filesystem::directory_iterator(path)) {
      const std::shared_ptr<Node> child = node(entry.path());
      here[number(entry.path())] = child;
      names[entry.path().filename()] = child;
      if (child->is_directory) look(entry.path(), change, here);
    }
    for (const auto& [name, child] : directory->names) {
      if (!names.contains(name)) change.push_back({directory, name, nullptr});
    }
    for (const auto& [name, child] : names) {
      const auto old = directory->names.find(name);
      if (old == directory->names.end() || old->second != child) {
        change.push_back({directory, name, child});
      }
    }
    directory->names = std::move(names);
  }

  void sync(const std::filesystem::path& path) {
    const std::shared_ptr<Node> synced = node(path);
    if (!synced->is_directory) {
      std::ifstream file(path, std::ios::binary);
      synced->bytes.assign(std::istreambuf_iterator<char>(file), {});
      return;
    }
    synced->synced = synced->names;
    for (Change& change : changes_) {
      std::erase_if(change, [&](const Entry& entry) { return entry.directory == synced; });
    }
    std::erase_if(changes_, [](const Change& change) { return change.empty(); });
  }
  void sync_files(const std::filesystem::path& root) {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      if (entry.is_regular_file()) sync(entry.path());
    }
  }

  static void restore(const Node& node, const std::map<const Node*, Names>& found,
                      const std::filesystem::path& to) {
    if (!node.is_directory) {
      std::ofstream(to, std::ios::binary) << node.bytes;
      return;
    }
    std::filesystem::create_directories(to);
    const auto changed = found.find(&node);
    for (const auto& [name, child] : changed == found.end() ? node.synced : changed->second) {
      restore(*child, found, to / name);
    }
  }

  std::string root_;
  std::map<Number, std::shared_ptr<Node>> nodes_;  // of what is there, by inode number
  std::vector<Change> changes_;                    // that are not synced, the oldest first
};

}  // namespace crocuta::test
