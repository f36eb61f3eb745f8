// For tests with real hosts and procs: a Runtime with the stock process allocator, a record of what it was
// told, and the check that nothing is left.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <optional>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/mesh/messages.hpp"
#include "mesh/actors.hpp"
#include "support/leaks.hpp"

namespace hostmesh::test {

// Bounds what would otherwise hang; nothing is expected to take that long.
inline Deadline soon() {
  return Deadline::after(std::chrono::seconds(30));
}

// What callbacks were told, for a thread that waits for it.
template <class T>
class Record {
 public:
  void add(T item) {
    const std::lock_guard lock(mutex_);
    items_.push_back(std::move(item));
    changed_.notify_all();
  }
  std::vector<T> items() const {
    const std::lock_guard lock(mutex_);
    return items_;
  }
  template <class Goal>
  ::testing::AssertionResult wait_until(Goal goal) {
    std::unique_lock lock(mutex_);
    if (changed_.wait_until(lock, soon().when(), [&] { return goal(items_); }))
      return ::testing::AssertionSuccess();
    return ::testing::AssertionFailure() << "it did not happen; " << items_.size() << " things did";
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<T> items_;
};

// Waits for the end of any process, whoever's child it is.
class Watched {
 public:
  explicit Watched(std::int64_t pid)
      : pid_(pid), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}
  bool ends() const {
    if (!pidfd_) return true;
    pollfd waiting{.fd = pidfd_.get(), .events = POLLIN, .revents = 0};
    int ready = 0;
    do {  // the ends of children interrupt it
      ready = ::poll(&waiting, 1, 30'000);
    } while (ready < 0 && errno == EINTR);
    return ready == 1;
  }
  std::int64_t pid() const { return pid_; }

 private:
  std::int64_t pid_;
  UniqueFd pidfd_;
};

// The children of another process, as the kernel lists them.
inline std::string children_of(std::int64_t pid) {
  std::string all;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/" + std::to_string(pid) + "/task")) {
    std::ifstream in(thread.path() / "children");
    all += std::string(std::istreambuf_iterator<char>(in), {});
  }
  return all;
}

// The Error that `work` throws; a failure of the test when it throws none.
template <class Work>
Error error_of(Work work) {
  try {
    work();
  } catch (const Error& error) {
    return error;
  }
  ADD_FAILURE() << "no Error was thrown";
  return {};
}

inline BootstrapCommand shell(const std::string& script) {
  return {.argv = {"/bin/sh", "-c", script, BootstrapCommand::this_program().argv.front()},
          .environment = BootstrapCommand::this_program().environment,
          .working_directory = {}};
}

class MeshTest : public ::testing::Test {
 protected:
  MeshTest() {
    std::string folder = (std::filesystem::temp_directory_path() / "test_mesh.XXXXXX").string();
    folder_ = ::mkdtemp(folder.data());
    std::ofstream(folder_ / "plugins.yaml")
        << "plugin_path: [" HOSTMESH_TEST_PLUGINS
           "]\n"
           "default: process\n"
           "allocators:\n  process: {plugin: process}\n"
           "  forks: {plugin: process, options: {start: fork-server}}\n"
           "  local: {plugin: local}\n"
        << over_stdio("stdio", "hostmesh-bootstrap") << over_stdio("stdio_broken", "nothing-of-that-name");
    std::ofstream(folder_ / "ssh") << "#!/bin/sh\nfor word; do last=$word; done\n"
                                      "echo 'a greeting'\necho 'a word on stderr' >&2\n"
                                      "exec sh -c \"$last\"\n";
    std::filesystem::permissions(folder_ / "ssh", std::filesystem::perms::owner_all);
  }
  ~MeshTest() override { std::filesystem::remove_all(folder_); }

  void TearDown() override {
    runtime_.reset();
    left_.check();
    if (HasFailure()) {  // so that the next test can be judged by itself
      Runtime sweeper({}, {.descendants = RuntimeOptions::Descendants::kWholeProcess});
      (void)sweeper.sweep(soon());
    }
  }

  // The allocator for what is allocated from here on: process, which is the default, forks, local, or stdio.
  void use_allocator(std::string name) { allocator_ = std::move(name); }
  // Until the first use of runtime().
  Config& config() { return config_; }
  Runtime& runtime() {
    if (!runtime_) {
      runtime_.emplace(
          test_actors(),
          RuntimeOptions{.config = config_, .descendants = RuntimeOptions::Descendants::kWholeProcess});
    }
    return *runtime_;
  }
  Client& client() { return runtime().client(); }

  std::unique_ptr<Alloc> alloc(AllocSpec spec, BootstrapCommand command = BootstrapCommand::stock()) {
    return alloc_on(runtime(), std::move(spec), std::move(command));
  }
  std::unique_ptr<Alloc> alloc_on(Runtime& on, AllocSpec spec,
                                  BootstrapCommand command = BootstrapCommand::stock()) {
    return load_allocator(folder_ / "plugins.yaml", allocator_, on, std::move(command))
        ->allocate(std::move(spec));
  }
  // Options that record in `states`.
  AllocateOptions recorded() {
    return {.on_state = [record = states_](const ProcState& state) { record->add(state); }};
  }
  HostMesh hosts(AllocSpec spec) {
    return HostMesh::allocate(runtime(), alloc(std::move(spec)), "test", recorded());
  }
  HostMesh hosts(Extent extent) { return hosts(AllocSpec{.extent = std::move(extent)}); }

  ProcMesh procs(HostMesh& mesh, const Extent& per_host, ProcOptions options = {}) {
    options.bootstrap = BootstrapCommand::this_program();
    return mesh.spawn("workers", per_host, std::move(options));
  }

  // Of all hosts, in rank order.
  template <class State>
  std::vector<State> host_states() const {
    std::vector<State> found;
    for (const ProcState& state : states_->items()) {
      if (const auto* one = std::get_if<State>(&state)) found.push_back(*one);
    }
    std::ranges::sort(found, {}, &State::rank);
    return found;
  }
  std::int64_t host_pid(Rank rank) const { return host_states<ProcCreated>().at(rank).pid; }
  Record<ProcState>& states() { return *states_; }

 private:
  // Eight hosts named one1 and so on, which are processes here.
  std::string over_stdio(const std::string& name, const std::string& program) const {
    const auto stock = std::filesystem::path(BootstrapCommand::stock().argv.front()).parent_path() / program;
    return "  " + name + ": {plugin: ssh, options: {hosts: ['one[1-8]'], ssh: " + (folder_ / "ssh").string() +
           ", remote_command: " + stock.string() + "}}\n";
  }

  // In shared ownership, because a callback may come as long as the runtime lives.
  const std::shared_ptr<Record<ProcState>> states_ = std::make_shared<Record<ProcState>>();
  const LeakCheck left_;
  std::filesystem::path folder_;
  std::string allocator_ = "process";
  Config config_ = Config::from_process_environment();
  std::optional<Runtime> runtime_;
};

// The same tests for each way of having hosts: what does not depend on it.
class MeshOnAny : public MeshTest, public ::testing::WithParamInterface<const char*> {
 protected:
  MeshOnAny() { use_allocator(GetParam()); }
};
#define ON_ANY_ALLOCATOR(suite)                                                       \
  INSTANTIATE_TEST_SUITE_P(On, suite, ::testing::Values("process", "forks", "local"), \
                           [](const auto& how) { return std::string(how.param); })

}  // namespace hostmesh::test
