#include "hostmesh/bootstrap/runtime.hpp"

#include <csignal>
#include <future>
#include <thread>

#include "hostmesh/base/log.hpp"
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/rlimit.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh {

struct Runtime::Impl {
  Impl(const Config& config, ActorTable actors, RuntimeOptions::Descendants its_descendants)
      : node(config, std::move(actors)), descendants(its_descendants) {}

  bootstrap::Node node;
  const RuntimeOptions::Descendants descendants;
  std::unique_ptr<AdoptedReaper> reaper;
  std::unique_ptr<Sweep> sweep;
  std::unique_ptr<Client> client;
  std::thread thread;
};

Runtime::Runtime(ActorTable actors, RuntimeOptions options)
    : impl_(std::make_unique<Impl>(options.config, std::move(actors), options.descendants)) {
  std::signal(SIGPIPE, SIG_IGN);
  if (const auto former = raise_descriptor_limit()) {
    impl_->node.engine.usual_nofile = *former;
  } else {
    log::info("the descriptor limit stays as it is " + log::field("why", former.error().text()));
  }
  // Orphans of hosts that died come to us in any case; whether all orphans are ours is the option.
  if (const auto made = become_subreaper(); !made) log::warning(made.error().text());
  impl_->thread = std::thread([this] { impl_->node.reactor.run(); });
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
}

Runtime::~Runtime() {
  impl_->client.reset();
  run_on_reactor([this] {
    std::exchange(impl_->node.residents, {}).clear();
    impl_->sweep.reset();
    impl_->reaper.reset();
  });
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
  if (impl_->node.reactor.on_thread()) {
    throw Error(Cause::kInternal, "a call that waits for the reactor was made on the reactor thread itself");
  }
  std::promise<void> done;
  impl_->node.reactor.post([&] {
    try {
      work();
      done.set_value();
    } catch (...) {
      done.set_exception(std::current_exception());
    }
  });
  done.get_future().get();
}

Result<> Runtime::sweep(Deadline deadline) {
  if (impl_->descendants != RuntimeOptions::Descendants::kWholeProcess) return {};
  std::promise<std::vector<pid_t>> survivors;
  run_on_reactor([&] {
    impl_->sweep = std::make_unique<Sweep>(
        impl_->node.reactor, impl_->node.engine.registry, [](pid_t) { return true; }, deadline,
        [&survivors](std::vector<pid_t> left) { survivors.set_value(std::move(left)); });
  });
  const std::vector<pid_t> left = survivors.get_future().get();
  run_on_reactor([this] { impl_->sweep.reset(); });
  if (left.empty()) return {};
  std::string pids;
  for (const pid_t pid : left) pids += (pids.empty() ? "" : ", ") + std::to_string(pid);
  return Error(Cause::kTimeout, "processes that could not be killed in time: pid " + pids);
}

}  // namespace hostmesh
