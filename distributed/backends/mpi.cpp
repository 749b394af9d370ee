#include "distributed/backends/mpi.h"

#include <mpi.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>

#include "distributed/backends/host_backend.h"

namespace crocuta::distributed::mpi {
namespace {

using Clock = std::chrono::steady_clock;

std::size_t message_limit = std::size_t{1} << 30;

// What MPI is to this process. Finalised by shutdown() alone: at any other exit the launcher has to
// see that this rank ended without it, and end the others.
struct Runtime {
  enum class Phase { never_started, running, over };
  Phase phase = Phase::never_started;
  std::shared_ptr<Backend> world;
  MPI_Comm farewell = MPI_COMM_NULL;  // for shutdown(), apart from all other traffic
  // A collective was given up with messages on their way; MPI must not be let near their buffers.
  bool broken = false;
};
Runtime& runtime() {
  static Runtime instance;
  return instance;
}

[[noreturn]] void throw_failure(int code, std::string_view what) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  MPI_Error_string(code, text, &length);
  throw CommError(str(what, ": MPI failed: ", printable({text, static_cast<std::size_t>(length)})));
}
void require_success(int code, std::string_view what) {
  if (code != MPI_SUCCESS) throw_failure(code, what);
}

// Waits by polling: eagerly at first, then with naps, since a machine may have more ranks than
// cores and a rank that hangs should not burn a core.
class Poll {
 public:
  explicit Poll(std::chrono::milliseconds timeout) : start_(Clock::now()), end_(start_ + timeout) {}
  // False once the time is up.
  bool pause() {
    const Clock::time_point now = Clock::now();
    if (now - start_ < std::chrono::milliseconds(2)) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
    return now < end_;
  }

 private:
  const Clock::time_point start_, end_;
};

// One non-blocking message of an exchange.
struct Message {
  MPI_Request request = MPI_REQUEST_NULL;
  int peer = 0;
  int bytes = 0;
  bool incoming = false;
};

// Some ranks have not joined a collective in time.
struct Missing : CommError {
  Missing(const std::string& message, std::vector<int> ranks)
      : CommError(message), ranks(std::move(ranks)) {}
  std::vector<int> ranks;
};

class MpiBackend final : public HostBackend {
 public:
  MpiBackend(MPI_Comm comm, int rank, std::vector<int> members, const CommOptions& options)
      : HostBackend(rank, std::move(members), options), comm_(comm) {}
  ~MpiBackend() override {
    // Freeing is collective in MPI's eyes, but OpenMPI, MPICH and their kin only drop a reference.
    if (runtime().phase == Runtime::Phase::running && !runtime().broken) MPI_Comm_free(&comm_);
  }

  RollCall roll_call(const Call& call, std::chrono::milliseconds patience) override {
    RollCall result;
    options.timeout = patience;
    try {
      result.disagreement = disagreement(everybodys(call));
      result.complete = true;
    } catch (const Missing& error) {
      result.missing = error.ranks;
    } catch (const CommError&) {  // another failure than the one that is looked into
    }
    runtime().broken = true;
    return result;
  }

 protected:
  void agree(const Call& call) override {
    require_usable(call);
    if (!options.check_collectives) return;
    const std::string disagreed = disagreement(everybodys(call));
    if (!disagreed.empty()) throw CommError(disagreed);
  }

  void exchange(const Call& call, std::span<const SendPart> sends,
                std::span<const ReceivePart> receives) override {
    require_usable(call);
    const auto me = static_cast<std::size_t>(rank());
    if (receives[me].bytes > 0 && receives[me].data != sends[me].data) {
      std::memcpy(receives[me].data, sends[me].data, receives[me].bytes);
    }
    std::vector<Message> messages;
    // Peers in rotated order, so that not all ranks begin with rank 0.
    for (std::size_t step = 1; step < receives.size(); ++step) {
      const std::size_t p = (me + receives.size() - step) % receives.size();
      post(call, messages, p, receives[p].data, receives[p].bytes, true);
    }
    for (std::size_t step = 1; step < sends.size(); ++step) {
      const std::size_t p = (me + step) % sends.size();
      post(call, messages, p, const_cast<std::byte*>(sends[p].data), sends[p].bytes, false);
    }
    wait(call, messages);
  }

  std::shared_ptr<Backend> make_group(const Call& call, int color, std::vector<int> members,
                                      int rank) override {
    MPI_Comm comm = MPI_COMM_NULL;
    // The members are already sorted: their new ranks are the keys.
    require_success(MPI_Comm_split(comm_, color < 0 ? MPI_UNDEFINED : color, rank, &comm),
                    name(call.collective));
    if (comm == MPI_COMM_NULL) return nullptr;
    MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
    return std::make_shared<MpiBackend>(comm, rank, std::move(members), options);
  }

 private:
  // The call that each rank makes, this being ours.
  std::vector<Call> everybodys(const Call& call) {
    std::vector<Call> calls(static_cast<std::size_t>(size()));
    std::vector<SendPart> sends(calls.size());
    std::vector<ReceivePart> receives(calls.size());
    for (std::size_t p = 0; p < calls.size(); ++p) {
      sends[p] = {reinterpret_cast<const std::byte*>(&call), sizeof call};
      receives[p] = {reinterpret_cast<std::byte*>(&calls[p]), sizeof call};
    }
    exchange(call, sends, receives);
    return calls;
  }

  void require_usable(const Call& call) const {
    if (runtime().phase != Runtime::Phase::running) {
      throw CommError(str(describe(call), ": used after distributed::shutdown()"));
    }
    if (runtime().broken) {
      throw CommError(str(describe(call),
                          ": an earlier collective was given up, so the ranks of "
                          "this job can no longer work together"));
    }
    int main_thread = 0;
    MPI_Is_thread_main(&main_thread);
    if (main_thread == 0) {
      throw CommError(str(describe(call), ": called on another thread than distributed::init()"));
    }
  }

  void post(const Call& call, std::vector<Message>& messages, std::size_t peer, std::byte* data,
            std::size_t bytes, bool incoming) {
    while (bytes > 0) {
      const std::size_t length = std::min(bytes, message_limit);
      Message message{
          .peer = static_cast<int>(peer), .bytes = static_cast<int>(length), .incoming = incoming};
      const int code =
          incoming
              ? MPI_Irecv(data, message.bytes, MPI_BYTE, message.peer, 0, comm_, &message.request)
              : MPI_Isend(data, message.bytes, MPI_BYTE, message.peer, 0, comm_, &message.request);
      if (code != MPI_SUCCESS) break_off(call, message, code);
      messages.push_back(message);
      data += length;
      bytes -= length;
    }
  }

  void wait(const Call& call, std::vector<Message>& messages) {
    Poll poll(options.timeout);
    std::vector<Message*> open;
    for (Message& message : messages) open.push_back(&message);
    for (;;) {
      std::erase_if(open, [&](Message* message) { return done(call, *message); });
      if (open.empty()) return;
      if (!poll.pause()) give_up(call, open);
    }
  }

  bool done(const Call& call, Message& message) {
    int flag = 0;
    MPI_Status status;
    const int code = MPI_Test(&message.request, &flag, &status);
    if (code != MPI_SUCCESS) break_off(call, message, code);
    if (flag == 0) return false;
    int received = 0;
    if (message.incoming) MPI_Get_count(&status, MPI_BYTE, &received);
    if (message.incoming && received != message.bytes) {
      runtime().broken = true;
      fail<CommError>(describe(call), rank_name(message.peer), str(message.bytes, " bytes"),
                      str(received, " (set CROCUTA_CHECK_COLLECTIVES=1 to see what it called)"));
    }
    return true;
  }

  [[noreturn]] void break_off(const Call& call, const Message& message, int code) {
    runtime().broken = true;
    throw_failure(code, str(describe(call), ", with ", rank_name(message.peer)));
  }

  // Withdraws what can be withdrawn, so that a late message does not land in memory that is about
  // to be reused, and throws.
  [[noreturn]] void give_up(const Call& call, const std::vector<Message*>& open) {
    runtime().broken = true;
    std::vector<int> missing;
    for (Message* message : open) {
      missing.push_back(message->peer);
      if (message->incoming) MPI_Cancel(&message->request);
    }
    std::sort(missing.begin(), missing.end());
    missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
    const std::string message = waited(call, options.timeout) + " for " + rank_names(missing);
    throw Missing(message, std::move(missing));
  }

  MPI_Comm comm_;
};

void start(int launched) {
  int provided = MPI_THREAD_SINGLE;
  require_success(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init");
  Runtime& mpi = runtime();
  mpi.phase = Runtime::Phase::running;
  int size = 0;
  MPI_Comm_size(MPI_COMM_WORLD, &size);
  if (size != launched) {
    MPI_Finalize();
    mpi.phase = Runtime::Phase::over;
    throw CommError(str("distributed::init: the launcher started ", launched,
                        " processes, MPI counts ", size, ": its mpirun belongs to another MPI ",
                        "than the one this program was built with"));
  }
  if (provided < MPI_THREAD_FUNNELED) {
    throw CommError("distributed::init: this MPI does not support programs with threads");
  }
  require_success(MPI_Comm_dup(MPI_COMM_WORLD, &mpi.farewell), "MPI_Comm_dup");
}

}  // namespace

std::shared_ptr<Backend> world(int launched, const CommOptions& options) {
  Runtime& mpi = runtime();
  if (mpi.phase == Runtime::Phase::over) {
    throw CommError("distributed::init: MPI has been shut down and cannot be started again");
  }
  if (mpi.phase == Runtime::Phase::never_started) start(launched);
  if (mpi.world) return mpi.world;
  MPI_Comm comm = MPI_COMM_NULL;
  require_success(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
  MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN);
  int rank = 0, size = 0;
  MPI_Comm_rank(comm, &rank);
  MPI_Comm_size(comm, &size);
  std::vector<int> members;
  for (int r = 0; r < size; ++r) members.push_back(r);
  mpi.world = std::make_shared<MpiBackend>(comm, rank, std::move(members), options);
  return mpi.world;
}

int local_rank() {
  MPI_Comm here = MPI_COMM_NULL;
  int rank = 0;
  require_success(
      MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &here),
      "MPI_Comm_split_type");
  require_success(MPI_Comm_rank(here, &rank), "MPI_Comm_rank");
  MPI_Comm_free(&here);
  return rank;
}

int shutdown(int status) {
  Runtime& mpi = runtime();
  if (mpi.phase != Runtime::Phase::running) return status;
  // All ranks that get here, whether they failed or not, meet once more. If one does not come it is
  // stuck in a collective with a rank that has given up, and only MPI_Abort ends it.
  const bool failed = status != 0 || !mpi.world;
  const auto patience = failed ? std::chrono::milliseconds(2000) : mpi.world->options.timeout;
  bool all_here = !mpi.broken;
  if (all_here) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibarrier(mpi.farewell, &request);
    Poll poll(patience);
    int flag = 0;
    while (MPI_Test(&request, &flag, MPI_STATUS_IGNORE) == MPI_SUCCESS && flag == 0) {
      if (poll.pause()) continue;
      all_here = false;
      break;
    }
  }
  if (!all_here) {
    std::fflush(nullptr);
    MPI_Abort(MPI_COMM_WORLD, status != 0 ? status : 1);
    std::_Exit(status != 0 ? status : 1);
  }
  mpi.world.reset();
  MPI_Comm_free(&mpi.farewell);
  mpi.phase = Runtime::Phase::over;  // groups still held by somebody keep off MPI from here on
  MPI_Finalize();
  return status;
}

void set_message_limit(std::size_t bytes) {
  message_limit = bytes;
}

}  // namespace crocuta::distributed::mpi
