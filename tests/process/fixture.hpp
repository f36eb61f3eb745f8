// For tests with real processes: a reactor that runs until something has happened, a record of what a child
// did, and the check that nothing is left behind.
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/process/child_process.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh::test {

inline std::size_t open_descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++count;
  return count;
}

// "NAME:\tvalue" lines of /proc/PID/status and their like.
inline std::string field_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name + ":");
  if (at == std::string::npos) return {};
  const std::size_t start = text.find_first_not_of(" \t", at + name.size() + 1);
  return text.substr(start, text.find('\n', start) - start);
}

// Gone, or a zombie that somebody else is slow to reap.
inline bool is_dead(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  if (!in) return true;
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return text.empty() || field_of(text, "State").starts_with("Z");
}

inline SpawnRequest shell(std::string script) {
  return {.argv = {"/bin/sh", "-c", std::move(script)}, .environment = {"PATH=/usr/bin:/bin"}};
}

inline SpawnRequest helper(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), HOSTMESH_TEST_HELPER);
  return {.argv = std::move(arguments), .environment = {"ASAN_OPTIONS=detect_leaks=0"}};
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

  ProcessTest() : descriptors_before_(open_descriptors()) { reactor_.emplace(); }

  void TearDown() override {
    children_.clear();
    // A child that was dropped alive is reaped by the reactor, or when that is destroyed.
    reactor_.reset();
    EXPECT_EQ(open_descriptors(), descriptors_before_) << "descriptors were left open";
    EXPECT_TRUE(children_of_this_process().empty()) << "processes were left behind";
  }

  Reactor& reactor() { return *reactor_; }

  // The pipes of stdin, too, unless the request says otherwise.
  Child& start(SpawnRequest request, GroupAtExit at_exit = GroupAtExit::kKill) {
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
  bool run_until(std::function<bool()> goal) {
    goal_ = std::move(goal);
    bool reached = true;
    if (!goal_()) {
      Timer bound(reactor());
      bound.after(std::chrono::seconds(30), [&] {
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
  std::size_t descriptors_before_;
  std::optional<Reactor> reactor_;
  std::vector<std::unique_ptr<Child>> children_;
  std::function<bool()> goal_;
};

}  // namespace hostmesh::test
