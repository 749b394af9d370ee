#include "distributed/backends/backend.h"

#include <cstdlib>
#include <string_view>
#include <utility>

namespace crocuta {

bool CommOptions::check_collectives_by_default() {
  const char* text = std::getenv("CROCUTA_CHECK_COLLECTIVES");
  if (text == nullptr || *text == '\0') {
#if defined(NDEBUG)
    return false;
#else
    return true;
#endif
  }
  const std::string_view value = text;
  if (value != "0" && value != "1") {
    fail<ArgumentError>("process group", "CROCUTA_CHECK_COLLECTIVES", "0 or 1", printable(value));
  }
  return value == "1";
}

namespace distributed {

std::string_view name(Collective collective) {
  switch (collective) {
    case Collective::all_to_all:
      return "all_to_all";
    case Collective::all_reduce:
      return "all_reduce";
    case Collective::all_gather:
      return "all_gather";
    case Collective::reduce_scatter:
      return "reduce_scatter";
    case Collective::broadcast:
      return "broadcast";
    case Collective::barrier:
      return "barrier";
    case Collective::split:
      return "split";
  }
  return "unknown collective";
}

std::string describe(const Call& call) {
  std::string text(name(call.collective));
  const bool reduces =
      call.collective == Collective::all_reduce || call.collective == Collective::reduce_scatter;
  if (reduces) text += call.reduce == ReduceOp::sum ? "(sum)" : "(max)";
  text += str(" #", call.sequence);
  if (call.collective == Collective::barrier || call.collective == Collective::split) return text;
  const Shape shape(call.shape.begin(), call.shape.begin() + call.dims);
  text += str(" of ", name(call.dtype), " ", to_string(shape));
  if (call.collective == Collective::broadcast) text += str(" from rank ", call.root);
  if (call.recorded) text += " with gradient";
  return text;
}

Backend::Backend(int rank, std::vector<int> members, const CommOptions& options)
    : options(options), rank_(rank), members_(std::move(members)) {}

std::string Backend::rank_name(int rank) const {
  const int in_world = members_[static_cast<std::size_t>(rank)];
  return in_world == rank ? str("rank ", rank)
                          : str("rank ", rank, " (", in_world, " of the world)");
}

std::string Backend::rank_names(const std::vector<int>& ranks) const {
  std::string names;
  for (const int r : ranks) names += str(names.empty() ? "" : ", ", rank_name(r));
  return names;
}

std::string Backend::waited(const Call& call, std::chrono::milliseconds time) const {
  return str(name(call.collective), ": ", rank_name(rank_), " waited ",
             static_cast<double>(time.count()) / 1000, " s in ", describe(call));
}

}  // namespace distributed
}  // namespace crocuta
