#include "distributed/agreement.h"

#include <algorithm>
#include <cstring>
#include <map>

#include "distributed/init.h"
#include "framework/base/error.h"

namespace crocuta {
namespace {

constexpr std::size_t kShownRanks = 3, kShownValues = 3, kShownBytes = 400;

std::int64_t words(std::size_t bytes) {
  return static_cast<std::int64_t>((bytes + sizeof(std::int32_t) - 1) / sizeof(std::int32_t));
}

// Texts in one, and apart again. Facts hold no NUL: they come from files and command lines.
std::string join(const std::vector<Fact>& facts) {
  std::string text;
  for (const Fact& fact : facts) {
    for (const std::string& part : {fact.name, fact.value, fact.shown}) text += part + '\0';
  }
  return text;
}
std::vector<Fact> split(const std::string& text) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\0', at);
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  std::vector<Fact> facts;
  for (std::size_t i = 0; i + 2 < parts.size(); i += 3) {
    facts.push_back({parts[i], parts[i + 1], parts[i + 2]});
  }
  return facts;
}

// One value of a fact and who holds it.
struct Opinion {
  std::string value, shown;
  std::vector<std::string> holders;
};

std::string describe(const std::string& name, const std::vector<Opinion>& opinions) {
  std::string text = str("'", printable(name), "': expected the same on all ranks, got ");
  for (std::size_t i = 0; i < std::min(opinions.size(), kShownValues); ++i) {
    text += str(i > 0 ? ", " : "", printable(opinions[i].shown, kShownBytes), " on ");
    const std::vector<std::string>& holders = opinions[i].holders;
    for (std::size_t h = 0; h < std::min(holders.size(), kShownRanks); ++h) {
      text += str(h > 0 ? " and " : "", holders[h]);
    }
    if (holders.size() > kShownRanks) text += str(" and ", holders.size() - kShownRanks, " more");
  }
  const std::size_t left = opinions.size() - std::min(opinions.size(), kShownValues);
  return left > 0 ? str(text, ", and ", left, " more") : text;
}

}  // namespace

std::vector<std::string> gather_texts(const std::string& mine, const ProcessGroup& group) {
  // On the CPU: this has to work also where what failed is a GPU.
  const Device cpu = Device::cpu();
  const std::vector<std::int64_t> size = {static_cast<std::int64_t>(mine.size())};
  const auto sizes = group.all_gather(from_vector(size, {1}, cpu)).to_vector<std::int64_t>();
  const std::int64_t longest =
      words(static_cast<std::size_t>(*std::max_element(sizes.begin(), sizes.end())));
  std::vector<std::string> texts(sizes.size());
  if (longest == 0) return texts;
  std::vector<std::int32_t> block(static_cast<std::size_t>(longest));
  std::memcpy(block.data(), mine.data(), mine.size());
  const auto all = group.all_gather(from_vector(block, {longest}, cpu)).to_vector<std::int32_t>();
  for (std::size_t r = 0; r < texts.size(); ++r) {
    texts[r].resize(static_cast<std::size_t>(sizes[r]));
    std::memcpy(texts[r].data(), &all[r * block.size()], texts[r].size());
  }
  return texts;
}

std::vector<std::string> ranks_and_hosts(const ProcessGroup& group) {
  std::vector<std::string> names = gather_texts(distributed::host_name(), group);
  for (std::size_t r = 0; r < names.size(); ++r) {
    names[r] = str("rank ", r, " (", printable(names[r]), ")");
  }
  return names;
}

Failure first_failure(const std::string& mine, const ProcessGroup& group) {
  const std::vector<std::string> texts = gather_texts(mine, group);
  const auto first = std::find_if(texts.begin(), texts.end(),
                                  [](const std::string& text) { return !text.empty(); });
  if (first == texts.end()) return {};
  if (std::count(texts.begin(), texts.end(), *first) == group.size()) return {"", *first};
  const auto rank = static_cast<std::size_t>(first - texts.begin());
  return {ranks_and_hosts(group)[rank] + ": ", *first};
}

std::string disagreement(const std::vector<Fact>& facts, const ProcessGroup& group) {
  const std::vector<std::string> texts = gather_texts(join(facts), group);
  const bool equal = std::equal(texts.begin() + 1, texts.end(), texts.begin());
  if (equal) return "";
  const std::vector<std::string> ranks = ranks_and_hosts(group);
  std::vector<std::string> names;  // in the order in which ranks have them
  std::vector<std::map<std::string, Fact>> known(texts.size());
  for (std::size_t r = 0; r < texts.size(); ++r) {
    for (const Fact& fact : split(texts[r])) {
      if (std::find(names.begin(), names.end(), fact.name) == names.end()) {
        names.push_back(fact.name);
      }
      known[r][fact.name] = fact;
    }
  }
  std::string all;
  for (const std::string& name : names) {
    std::vector<Opinion> opinions;
    for (std::size_t r = 0; r < texts.size(); ++r) {
      const auto found = known[r].find(name);
      const Fact fact = found == known[r].end() ? Fact{name, "nothing"} : found->second;
      auto same = std::find_if(opinions.begin(), opinions.end(),
                               [&](const Opinion& o) { return o.value == fact.value; });
      if (same == opinions.end()) {
        same = opinions.insert(opinions.end(), {fact.value, fact.shown, {}});
      }
      same->holders.push_back(ranks[r]);
    }
    if (opinions.size() > 1) all += str(all.empty() ? "" : "; ", describe(name, opinions));
  }
  return all;
}

}  // namespace crocuta
