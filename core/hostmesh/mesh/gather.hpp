// Gather: waits for one answer from each of N, and turns the failures among them into one error that names
// them.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/actor/client.hpp"
#include "hostmesh/base/deadline.hpp"
#include "hostmesh/base/ids.hpp"
#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/result.hpp"
#include "hostmesh/shape/ranks_text.hpp"

namespace hostmesh {

// The error for a set of ranks: the first failure in full, and which ranks failed how.
Error error_of_ranks(std::string_view phase, const std::vector<std::pair<Rank, Error>>& failures,
                     std::uint64_t total);

// Throws on the reactor thread, where waiting for what the reactor does would be for ever. `what` is the
// call.
void refuse_on_reactor(const Client& client, std::string_view what);

// Slots may be filled from any thread; wait() once, on another. Each slot is filled exactly once by its call,
// at `deadline` at the latest; only a reactor that is blocked answers later, and then what is missing is an
// error.
template <class R>
class Gather {
 public:
  Gather(std::size_t count, Deadline deadline) : state_(std::make_shared<State>()), deadline_(deadline) {
    state_->answers.resize(count);
    state_->missing = count;
  }

  // A callback for call_async.
  std::function<void(Result<R>)> slot(std::size_t index) {
    return [state = state_, index](Result<R> answer) {
      const std::lock_guard lock(state->mutex);
      state->answers[index] = std::move(answer);
      if (--state->missing == 0) state->done.notify_all();
    };
  }

  // Every answer, good or bad.
  std::vector<Result<R>> wait_all() {
    std::unique_lock lock(state_->mutex);
    state_->done.wait_until(lock, deadline_.later_by(kReactorPatience).when(),
                            [this] { return state_->missing == 0; });
    std::vector<Result<R>> all;
    all.reserve(state_->answers.size());
    for (auto& answer : state_->answers) {
      if (answer) {
        all.push_back(*std::move(answer));
      } else {
        all.push_back(Error(Cause::kTimeout, "no answer, and the reactor thread is blocked"));
      }
    }
    return all;
  }

  // The values in order, or error_of_ranks().
  Result<std::vector<R>> wait(std::string_view phase) {
    std::vector<R> values;
    std::vector<std::pair<Rank, Error>> failures;
    auto all = wait_all();
    for (Rank rank = 0; rank < all.size(); ++rank) {
      if (all[rank]) {
        values.push_back(*std::move(all[rank]));
      } else {
        failures.emplace_back(rank, all[rank].error());
      }
    }
    if (!failures.empty()) return error_of_ranks(phase, failures, all.size());
    return values;
  }

 private:
  struct State {
    std::mutex mutex;
    std::condition_variable done;
    std::vector<std::optional<Result<R>>> answers;
    std::size_t missing = 0;
  };
  std::shared_ptr<State> state_;
  Deadline deadline_;
};

}  // namespace hostmesh
