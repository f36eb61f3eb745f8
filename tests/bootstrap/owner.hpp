// The owner's side of the bootstrap protocol, for tests: a Node whose reactor runs on a thread, and
// allocations whose children the test brings up itself.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "channel/support.hpp"
#include "hostmesh/bootstrap/node.hpp"

namespace hostmesh::bootstrap::test {

using namespace std::chrono_literals;
using hostmesh::test::kHang;
using hostmesh::test::Watched;

// Long enough to be never; each test shortens what it is about.
inline constexpr ChildTiming kPatient{
    .launch = 1h, .hello = 1h, .start = 1h, .heartbeat = 1h, .exit = 1h, .kill = 1h};

// What became of one child.
struct Fate {
  std::vector<std::string> events;  // "created", "running", "stopped", "failed"
  StopReason reason;
  bool has(std::string_view event) const {
    return std::find(events.begin(), events.end(), event) != events.end();
  }
};
using Fates = std::map<ChildId, Fate>;

// Starts nothing and says that all is well; a signal is a death at once, unless the children are `immortal`.
class PretendLauncher final : public ChildLauncher {
 public:
  PretendLauncher(Reactor& reactor, Events events) : reactor_(reactor), events_(std::move(events)) {}

  void launch(LaunchId id, LaunchRequest) override {
    later([this, id] {
      if (!held_back) events_.on_launched(id, 1, "node");
    });
    launched_.push_back(id);
  }
  void signal(LaunchId id, int number) override { exit(id, ExitStatus::signalled(number, false)); }
  void close_stdin(LaunchId) override {}
  void pause_output(LaunchId) override {}
  void resume_output(LaunchId) override {}

  void exit(LaunchId id, const ExitStatus& status) {
    later([this, id, status] {
      if (!immortal && ended_.insert(id).second) events_.on_exited(id, status);
    });
  }
  void report_launched() {
    for (const LaunchId id : launched_) events_.on_launched(id, 1, "node");
  }

  bool held_back = false;
  bool immortal = false;

 private:
  void later(std::function<void()> work) {
    reactor_.post([alive = std::weak_ptr(alive_), work = std::move(work)] {
      if (alive.lock()) work();
    });
  }
  Reactor& reactor_;
  Events events_;
  std::vector<LaunchId> launched_;
  std::set<LaunchId> ended_;
  std::shared_ptr<int> alive_ = std::make_shared<int>();
};

class Owner {
 public:
  template <class F>
  auto call(F work) {
    std::promise<std::invoke_result_t<F>> promise;
    auto future = promise.get_future();
    node.reactor.post([&] {
      if constexpr (std::is_void_v<std::invoke_result_t<F>>) {
        work();
        promise.set_value();
      } else {
        promise.set_value(work());
      }
    });
    return future.get();
  }

  explicit Owner(Config config = Config()) : node(config, {}), thread_([this] { node.reactor.run(); }) {
    addr = call([this] { return *node.gate.address(Transport::kUnix); });
  }
  ~Owner() {
    node.reactor.stop();
    thread_.join();
  }
  Node node;
  ChannelAddr addr;

 private:
  std::thread thread_;
};

class Allocation final : public Guests {
 public:
  Allocation(Owner& owner, std::string name, std::size_t ranks, ChildTiming timing = kPatient,
             bool held_back = false)
      : owner_(owner), name_(std::move(name)) {
    owner_.call([&] {
      auto made = Children::make(
          owner_.node.reactor,
          [&](ChildLauncher::Events events) -> Result<std::unique_ptr<ChildLauncher>> {
            auto pretend = std::make_unique<PretendLauncher>(owner_.node.reactor, std::move(events));
            pretend->held_back = held_back;
            launcher = pretend.get();
            return std::unique_ptr<ChildLauncher>(std::move(pretend));
          },
          64,
          {.on_created = [this](ChildId id, const ChildCreated&) { note(id, "created"); },
           .on_running = [this](ChildId id) { note(id, "running"); },
           .on_stopped =
               [this](ChildId id, const StopReason& reason, Children::Events::More) {
                 fates.change([&](Fates& all) { all[id].reason = reason; });
                 note(id, "stopped");
               },
           .on_failed = [this](ChildId id, const Error&) { note(id, "failed"); },
           .on_output = nullptr});
      children_ = *std::move(made);
      owner_.node.gate.admit(name_, secret, *this);
      for (ChildId id = 0; id < ranks; ++id) {
        children_->add(id, {.kind = ChildKind::kProtocol,
                            .request =
                                [id](Incarnation incarnation) {
                                  return LaunchRequest{.rank = id, .incarnation = incarnation};
                                },
                            .timing = timing});
      }
    });
    if (!held_back) {
      EXPECT_TRUE(fates.wait([&](const Fates& all) { return all.size() == ranks; }));
    }
  }
  // The owner's reactor ends in the middle of everything.
  void end_of_the_owner() {
    owner_.call([this] {
      children_.reset();
      started_links.clear();
      owner_.node.reactor.stop();
    });
    owner_is_gone_ = true;
  }
  ~Allocation() override {
    if (owner_is_gone_) return;
    owner_.call([this] {
      owner_.node.gate.dismiss(name_);
      children_.reset();
      started_links.clear();
    });
  }

  Children& children() override { return *children_; }
  StartProc start_for(ChildId id, const Hello&) override {
    return {
        .proc_id = ProcId::ranked(name_, id), .owner_addr = owner_.addr, .peer_secret = {}, .mesh = name_};
  }
  void started(ChildId id, const StartedProc&, const std::shared_ptr<Link>& link) override {
    started_links[id] = link;
  }

  PeerClaim claim(Rank rank, Incarnation incarnation = 0) const {
    return {
        .role = Role::kChild, .allocation = name_, .rank = rank, .incarnation = incarnation, .process = {}};
  }
  ChildPhase phase(ChildId id) {
    return owner_.call([&] { return *children_->phase(id); });
  }
  // Waits for it.
  [[nodiscard]] bool is(ChildId id, std::string_view event) {
    return fates.wait([&](const Fates& all) { return all.contains(id) && all.at(id).has(event); });
  }
  Fate fate(ChildId id) { return fates.get()[id]; }

  const Secret secret = Secret::random();
  std::function<void()> on_event;       // reactor only
  PretendLauncher* launcher = nullptr;  // reactor only
  Watched<Fates> fates;
  std::map<ChildId, std::shared_ptr<Link>> started_links;  // reactor only

 private:
  void note(ChildId id, std::string event) {
    fates.change([&](Fates& all) { all[id].events.push_back(std::move(event)); });
    if (on_event) on_event();
  }
  Owner& owner_;
  const std::string name_;
  std::unique_ptr<Children> children_;
  bool owner_is_gone_ = false;
};

}  // namespace hostmesh::bootstrap::test
