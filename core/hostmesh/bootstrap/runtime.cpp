#include "hostmesh/bootstrap/runtime.hpp"

#include <atomic>
#include <boost/system/system_error.hpp>
#include <condition_variable>
#include <csignal>
#include <future>
#include <mutex>
#include <new>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include "hostmesh/base/log.hpp"
#include "hostmesh/base/thread.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/rlimit.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh {

// Once it is known to be blocked, nobody else waits long to find that out.
constexpr std::chrono::seconds kPatienceWithBlocked(1);

struct Runtime::Impl {
  Impl(const Config& config, ActorTable actors, RuntimeOptions::Descendants its_descendants)
      : node(config, std::move(actors)), descendants(its_descendants) {}

  bootstrap::Node node;
  const RuntimeOptions::Descendants descendants;
  std::optional<SubreaperRole> role;  // for as long as it exists; else while it has allocations
  std::unique_ptr<AdoptedReaper> reaper;
  std::unique_ptr<Sweep> sweep;
  std::unique_ptr<Client> client;
  std::thread thread;
  bool has_failed = false;               // reactor thread only
  std::atomic<bool> is_blocked = false;  // as the last that waited in vain found

  // Ends all calls with the error: what was to happen on the reactor thread has not happened, and nobody is
  // to wait for it.
  void fail(const Error& error) {
    log::error(error.text());
    if (std::exchange(has_failed, true)) return;
    node.reactor.post([this, error] { node.system.close(error); });
  }

  // Work that has begun is waited for, unless there is a limit for all of it.
  void run(std::function<void()> work, std::optional<Duration> within);
};

namespace {

// No thread, no descriptor and no memory are told as an Error, whoever threw. All other exceptions are the
// caller's.
std::exception_ptr as_error_of_ours(const std::exception_ptr& thrown) {
  constexpr std::string_view kWhat = "a step on the reactor thread could not be done";
  try {
    std::rethrow_exception(thrown);
  } catch (const std::bad_alloc&) {
    return std::make_exception_ptr(error_of_exception(kWhat, "reactor"));
  } catch (const std::system_error&) {
    return std::make_exception_ptr(error_of_exception(kWhat, "reactor", Cause::kIo));
  } catch (const boost::system::system_error&) {
    return std::make_exception_ptr(error_of_exception(kWhat, "reactor", Cause::kIo));
  } catch (...) {
    return thrown;
  }
}

// One wait for the reactor, shared with it: who waits may give up first.
struct Turn {
  enum class State : std::uint8_t { kWaiting, kRunning, kDone, kWithdrawn };

  void run(const std::function<void()>& work) {
    {
      const std::lock_guard lock(mutex);
      if (state == State::kWithdrawn) return;
      state = State::kRunning;
    }
    std::exception_ptr thrown;
    try {
      work();
    } catch (...) {
      thrown = as_error_of_ours(std::current_exception());
    }
    const std::lock_guard lock(mutex);
    failure = thrown;
    state = State::kDone;
    changed.notify_all();
  }

  std::mutex mutex;
  std::condition_variable changed;
  State state = State::kWaiting;
  std::exception_ptr failure;
};

}  // namespace

Runtime::Runtime(ActorTable actors, RuntimeOptions options) try
    : impl_(std::make_unique<Impl>(options.config, std::move(actors), options.descendants)) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto former = raise_descriptor_limit()) {
    impl_->node.engine.usual_nofile = *former;
  } else {
    log::info("the descriptor limit stays as it is " + log::field("why", former.error().text()));
  }
  const bool adopts = options.subreaper == RuntimeOptions::Subreaper::kYes;
  if (!adopts) impl_->node.engine.orphans.set_adopts(bootstrap::Orphans::Adopts::kNo);
  if (adopts && options.descendants == RuntimeOptions::Descendants::kWholeProcess) impl_->role.emplace();
  if (!options.on_failure)
    options.on_failure = [impl = impl_.get()](const Error& error) { impl->fail(error); };
  impl_->node.reactor.on_failure(std::move(options.on_failure));
  // Where plugins and the callbacks of the program run, which may start processes of their own.
  impl_->thread = value_or_throw(start_thread(
      "hm-reactor", [impl = impl_.get()] { impl->node.reactor.run(); }, ThreadSignals::kInherited));
  try {
    run_on_reactor([this] {
      const auto address = impl_->node.gate.address(Transport::kUnix);
      if (!address) throw address.error();
      Proc& proc = impl_->node.system.add_proc(ProcId::direct(*address, "client"));
      impl_->client = std::make_unique<Client>(proc, "client");
      if (impl_->descendants == RuntimeOptions::Descendants::kWholeProcess) {
        impl_->node.engine.orphans.set_policy(bootstrap::OrphansAre::kAllOurs);
        impl_->reaper = std::make_unique<AdoptedReaper>(impl_->node.reactor, impl_->node.engine.registry);
      }
    });
  } catch (...) {
    impl_->node.reactor.stop();
    impl_->thread.join();
    throw;
  }
} catch (...) {
  throw error_of_exception("the runtime could not be made", "start");
}

Runtime::~Runtime() {
  impl_->client.reset();
  try {
    run_on_reactor([this] {
      std::exchange(impl_->node.residents, {}).clear();
      impl_->sweep.reset();
      impl_->reaper.reset();
    });
  } catch (const Error& error) {
    // What it holds is in use there for ever.
    log::error("a reactor thread is left behind " + log::field("why", error.text()));
    impl_->node.reactor.stop();
    impl_->thread.detach();
    (void)impl_.release();
    return;
  }
  impl_->node.reactor.stop();
  impl_->thread.join();
}

Client& Runtime::client() {
  return *impl_->client;
}
Config& Runtime::config() {
  return impl_->node.config;
}
Reactor& Runtime::reactor() {
  return impl_->node.reactor;
}
bootstrap::Node& Runtime::node() {
  return impl_->node;
}

void Runtime::run_on_reactor(const std::function<void()>& work) {
  impl_->run(work, std::nullopt);
}

void Runtime::run_on_reactor(std::function<void()> work, Duration within) {
  impl_->run(std::move(work), within);
}

void Runtime::Impl::run(std::function<void()> work, std::optional<Duration> within) {
  if (node.reactor.on_thread()) {
    throw Error(Cause::kInternal, "a call that waits for the reactor was made on the reactor thread itself");
  }
  const auto turn = std::make_shared<Turn>();
  node.reactor.post([turn, work = std::move(work)] { turn->run(work); });
  const Duration patience = is_blocked ? Duration(kPatienceWithBlocked) : within.value_or(kReactorPatience);
  std::unique_lock lock(turn->mutex);
  const auto has_come = [&] {
    return within ? turn->state == Turn::State::kDone : turn->state != Turn::State::kWaiting;
  };
  turn->changed.wait_for(lock, patience, has_come);
  if (!within && turn->state == Turn::State::kRunning) {
    turn->changed.wait(lock, [&] { return turn->state == Turn::State::kDone; });
  }
  is_blocked = turn->state != Turn::State::kDone;
  if (is_blocked) {
    turn->state = Turn::State::kWithdrawn;
    throw Error(Cause::kTimeout, node.reactor.blocked_text() + " for " + to_string(patience));
  }
  if (turn->failure) std::rethrow_exception(turn->failure);
}

Result<std::vector<std::string>> Runtime::sweep(Deadline deadline) {
  if (impl_->descendants != RuntimeOptions::Descendants::kWholeProcess) return std::vector<std::string>();
  const auto promise = std::make_shared<std::promise<Swept>>();
  run_on_reactor([&] {
    impl_->sweep = std::make_unique<Sweep>(
        impl_->node.reactor, impl_->node.engine.registry, [](pid_t) { return true; }, deadline,
        [promise](const Swept& swept) { promise->set_value(swept); }, Sweep::Names::kKeep);
  });
  auto answer = promise->get_future();
  // It ends at its deadline by itself, on a reactor that runs.
  if (answer.wait_until(deadline.later_by(kReactorPatience).when()) != std::future_status::ready) {
    return Error(Cause::kTimeout, impl_->node.reactor.blocked_text()).with_phase("sweep");
  }
  Swept swept = answer.get();
  run_on_reactor([this] { impl_->sweep.reset(); });
  if (swept.is_clean()) return std::move(swept.killed);
  std::string pids;
  for (const pid_t pid : swept.survivors) pids += (pids.empty() ? ": pid " : ", ") + std::to_string(pid);
  return Error(Cause::kTimeout, "processes that could not be killed in time" + pids +
                                    (swept.has_unseen ? "; some of them could not be found" : ""));
}

}  // namespace hostmesh
