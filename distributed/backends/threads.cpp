#include "distributed/backends/threads.h"

#include <condition_variable>
#include <cstring>
#include <exception>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <tuple>
#include <utility>

#include "distributed/backends/host_backend.h"
#include "kernels/cpu/parallel.h"

namespace crocuta {
namespace {

using namespace distributed;

// Where the ranks of one group meet. All fields are guarded by Job::mutex, except that the calls
// and sends of a meeting may be read without it between its two halves, when nobody writes them.
struct Hub {
  explicit Hub(std::vector<int> group)
      : members(std::move(group)),
        calls(members.size()),
        sends(members.size()),
        present(members.size()) {}

  const std::vector<int> members;  // ranks of the world
  std::vector<Call> calls;
  std::vector<std::span<const SendPart>> sends;
  std::vector<char> present;
  std::size_t arrived = 0;
  std::uint64_t generation = 0;  // completed meetings
};

// What all ranks of one run_ranks() share. One mutex and one condition for all groups: a failure
// anywhere has to wake everybody.
struct Job {
  struct Rank {
    bool finished = false;
    std::optional<Call> last;  // begun or completed
  };

  explicit Job(int size) : ranks(static_cast<std::size_t>(size)), unfinished(size) {}

  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Rank> ranks;
  int unfinished;
  std::string failure;  // empty while all is well
  std::exception_ptr first_error;
  // Groups that some, but not yet all, of their members have joined, by parent, sequence number
  // and color; and how many are still to come.
  std::map<std::tuple<const Hub*, std::uint64_t, int>, std::pair<std::shared_ptr<Hub>, std::size_t>>
      forming;
};

class ThreadBackend final : public HostBackend {
 public:
  ThreadBackend(std::shared_ptr<Job> job, std::shared_ptr<Hub> hub, int rank,
                const CommOptions& options)
      : HostBackend(rank, hub->members, options), job_(std::move(job)), hub_(std::move(hub)) {}

 protected:
  void agree(const Call&) override {}  // exchange() compares for nothing

  void exchange(const Call& call, std::span<const SendPart> sends,
                std::span<const ReceivePart> receives) override {
    meet(call, sends);
    const std::string disagreed = disagreement(hub_->calls);
    if (disagreed.empty()) {
      const auto me = static_cast<std::size_t>(rank());
      for (std::size_t p = 0; p < receives.size(); ++p) {
        const SendPart& part = hub_->sends[p][me];
        if (part.bytes == 0 || part.data == receives[p].data) continue;
        std::memcpy(receives[p].data, part.data, part.bytes);
      }
    }
    part_again();
    if (!disagreed.empty()) throw CommError(disagreed);
  }

  std::shared_ptr<Backend> make_group(const Call& call, int color, std::vector<int> members,
                                      int rank) override {
    if (color < 0) return nullptr;
    const std::lock_guard lock(job_->mutex);
    const auto key = std::make_tuple(hub_.get(), call.sequence, color);
    auto found = job_->forming.find(key);
    if (found == job_->forming.end()) {
      const std::size_t size = members.size();
      found = job_->forming.try_emplace(key, std::make_shared<Hub>(std::move(members)), size).first;
    }
    const std::shared_ptr<Hub> hub = found->second.first;
    if (--found->second.second == 0) job_->forming.erase(found);
    return std::make_shared<ThreadBackend>(job_, hub, rank, options);
  }

 private:
  // Publishes this rank's call and parts, and returns when all ranks have. Throws if one cannot
  // come any more or does not come in time.
  void meet(const Call& call, std::span<const SendPart> sends) {
    const auto me = static_cast<std::size_t>(rank());
    const auto deadline = std::chrono::steady_clock::now() + options.timeout;
    std::unique_lock lock(job_->mutex);
    if (!job_->failure.empty()) throw CommError(job_->failure);
    my_status().last = call;
    hub_->calls[me] = call;
    hub_->sends[me] = sends;
    const std::uint64_t generation = hub_->generation;
    if (arrive(me)) return;
    // Once all are here a rank has to go on even if the job has failed elsewhere, because the
    // others now read its buffers.
    const auto complete = [&] { return hub_->generation != generation; };
    const auto over = [&] { return complete() || !job_->failure.empty() || gone() >= 0; };
    const bool in_time = job_->changed.wait_until(lock, deadline, over);
    if (complete()) return;
    if (job_->failure.empty()) {
      job_->failure = in_time ? gone_message(call, gone()) : timeout_message(call);
      job_->changed.notify_all();
    }
    --hub_->arrived;
    hub_->present[me] = false;
    throw CommError(job_->failure);
  }

  // The second half: returns when no other rank reads this one's buffers any more. Nobody can fail
  // in between, so it neither throws nor times out.
  void part_again() {
    std::unique_lock lock(job_->mutex);
    const std::uint64_t generation = hub_->generation;
    if (arrive(static_cast<std::size_t>(rank()))) return;
    job_->changed.wait(lock, [&] { return hub_->generation != generation; });
  }

  // Notes that this rank is here; true, and a new generation, if it was the last one.
  bool arrive(std::size_t me) {
    hub_->present[me] = true;
    if (++hub_->arrived < hub_->members.size()) return false;
    hub_->arrived = 0;
    hub_->present.assign(hub_->present.size(), false);
    ++hub_->generation;
    job_->changed.notify_all();
    return true;
  }

  Job::Rank& status(std::size_t r) { return job_->ranks[static_cast<std::size_t>(members()[r])]; }
  Job::Rank& my_status() { return status(static_cast<std::size_t>(rank())); }

  // A rank that is awaited here but has finished; -1 if there is none.
  int gone() {
    for (std::size_t r = 0; r < members().size(); ++r) {
      if (!hub_->present[r] && status(r).finished) return static_cast<int>(r);
    }
    return -1;
  }

  std::string gone_message(const Call& call, int r) const {
    return str(name(call.collective), ": '", rank_name(r), "': expected it to join ",
               describe(call), ", got the end of its work instead");
  }

  std::string timeout_message(const Call& call) {
    std::string here, missing;
    for (std::size_t r = 0; r < members().size(); ++r) {
      std::string& list = hub_->present[r] ? here : missing;
      if (!list.empty()) list += ", ";
      list += rank_name(static_cast<int>(r));
      if (hub_->present[r]) continue;
      const std::optional<Call>& last = status(r).last;
      list += last ? str(" (last seen in ", describe(*last), ")") : " (not seen so far)";
    }
    return str(name(call.collective), ": ", here, " waited ", options.timeout.count() / 1000.0,
               " s in ", describe(call), " for ", missing);
  }

  const std::shared_ptr<Job> job_;
  const std::shared_ptr<Hub> hub_;
};

std::string message_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return "an exception of unknown type";
  }
}

// A rank's thread: the body, and what the others get to know of its end.
void run_rank(const std::shared_ptr<Job>& job, const std::shared_ptr<Hub>& hub, int rank,
              const std::function<void(const ProcessGroup&)>& body, const CommOptions& options) {
  std::exception_ptr error;
  try {
    body(ProcessGroup(std::make_shared<ThreadBackend>(job, hub, rank, options)));
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(job->mutex);
  if (error && !job->first_error) {
    job->first_error = error;
    if (job->failure.empty()) job->failure = str("rank ", rank, " has failed: ", message_of(error));
  }
  job->ranks[static_cast<std::size_t>(rank)].finished = true;
  --job->unfinished;
  job->changed.notify_all();
}

void wait_for_all(Job& job, const RankThreadOptions& options) {
  std::unique_lock lock(job.mutex);
  const auto done = [&] { return job.unfinished == 0; };
  job.changed.wait(lock, [&] { return done() || !job.failure.empty(); });
  if (options.on_stuck && !job.changed.wait_for(lock, options.timeout, done)) {
    const std::string failure = job.failure;
    lock.unlock();
    options.on_stuck(failure);
  }
}

}  // namespace

void run_ranks(int ranks, const std::function<void(const ProcessGroup&)>& body,
               const RankThreadOptions& options) {
  if (ranks < 1) fail<ArgumentError>("run_ranks", "ranks", "1 or more", str(ranks));
  const auto job = std::make_shared<Job>(ranks);
  std::vector<int> everyone;
  for (int r = 0; r < ranks; ++r) everyone.push_back(r);
  const auto hub = std::make_shared<Hub>(std::move(everyone));
  const int share = std::max(1, kernels::thread_count() / ranks);
  const int threads_each = options.threads_per_rank > 0 ? options.threads_per_rank : share;

  std::vector<std::jthread> threads;
  try {
    for (int r = 0; r < ranks; ++r) {
      threads.emplace_back([&, r] {
        kernels::set_thread_count(threads_each);
        run_rank(job, hub, r, body, options);
      });
    }
  } catch (...) {  // no more threads to be had: the ranks that run must not wait for the others
    const std::lock_guard lock(job->mutex);
    job->first_error = std::current_exception();
    job->failure =
        str("run_ranks: could not start rank ", threads.size(), ": ", message_of(job->first_error));
    job->unfinished -= ranks - static_cast<int>(threads.size());
    job->changed.notify_all();
  }
  wait_for_all(*job, options);
  threads.clear();  // joins
  if (job->first_error) std::rethrow_exception(job->first_error);
}

}  // namespace crocuta
