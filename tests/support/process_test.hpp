// For tests with real processes: a reactor that runs until something has happened, a record of what a child
// did, and the check that nothing is left behind.
#pragma once

#include <gtest/gtest.h>

#include <csignal>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_process.hpp"
#include "hostmesh/process/spawn.hpp"
#include "support/leaks.hpp"

namespace hostmesh::test {

inline SpawnRequest shell(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

class ProcessTest : public ::testing::Test {
 protected:
  // What one child did.
  struct Child {
    std::string out;
    std::string err;
    bool out_ended = false;
    bool err_ended = false;
    int exits = 0;
    std::optional<ExitStatus> status;
    std::string out_at_exit;
    std::unique_ptr<ChildProcess> process;

    bool finished() const { return status && out_ended && err_ended; }
  };

  ProcessTest() { reactor_.emplace(); }

  void TearDown() override {
    children_.clear();
    // A child that was dropped alive is reaped by the reactor, or when that is destroyed.
    reactor_.reset();
    leaks_.check();
  }

  Reactor& reactor() { return *reactor_; }

  // The pipes of stdin, too, unless the request says otherwise.
  Child& start(SpawnRequest request, AtExit at_exit = {}) {
    children_.push_back(std::make_unique<Child>());
    Child& child = *children_.back();
    Result<SpawnedProcess> spawned = spawn(request);
    if (!spawned) {
      ADD_FAILURE() << spawned.error().text();
      return child;
    }
    child.process = std::make_unique<ChildProcess>(reactor(), *std::move(spawned), record_in(child), at_exit);
    return child;
  }

  ChildProcess::Events record_in(Child& child) {
    return {
        .on_output =
            [this, &child](Stream stream, ByteView bytes) {
              (stream == Stream::kStdout ? child.out : child.err)
                  .append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
              happened();
            },
        .on_output_end =
            [this, &child](Stream stream) {
              (stream == Stream::kStdout ? child.out_ended : child.err_ended) = true;
              happened();
            },
        .on_exit =
            [this, &child](const ExitStatus& status) {
              ++child.exits;
              child.status = status;
              child.out_at_exit = child.out;
              happened();
            },
    };
  }

  void happened() {
    if (goal_ && goal_()) reactor().stop();
  }

  // Runs the reactor until `goal`, which is asked after each event; false when it is not reached in a long
  // time.
  bool run_until(std::function<bool()> goal, Duration at_most = std::chrono::seconds(30)) {
    goal_ = std::move(goal);
    bool reached = true;
    if (!goal_()) {
      Timer bound(reactor());
      bound.after(at_most, [&] {
        reached = false;
        reactor().stop();
      });
      reactor().run();
    }
    goal_ = nullptr;
    return reached;
  }

  Child& run(SpawnRequest request) {
    Child& child = start(std::move(request));
    if (child.process) {
      EXPECT_TRUE(run_until([&] { return child.finished(); })) << "the child did not finish";
    }
    return child;
  }

 private:
  const LeakCheck leaks_;
  std::optional<Reactor> reactor_;
  std::vector<std::unique_ptr<Child>> children_;
  std::function<bool()> goal_;
};

}  // namespace hostmesh::test
