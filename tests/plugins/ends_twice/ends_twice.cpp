// A plugin that runs commands as it should, and then reports each end twice.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "hostmesh/plugin/sdk.hpp"

namespace {

using namespace hostmesh::plugin;

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> list;
  for (const std::string& word : words) list.push_back(const_cast<char*>(word.c_str()));
  list.push_back(nullptr);
  return list;
}

class EndsTwice : public Launcher {
 public:
  static Description describe() {
    return {.capabilities = {Capability::kSameMachine, Capability::kExitStatus},
            .options = {},
            .summary = "reports each end twice"};
  }
  EndsTwice(const Config&, const Host& host) : host_(host) {}
  ~EndsTwice() override {
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, pid] : running_) ::kill(pid, SIGKILL);
    }
    for (std::thread& thread : threads_) thread.join();
  }

  void launch(const LaunchRequest& request) override {
    posix_spawn_file_actions_t files;
    ::posix_spawn_file_actions_init(&files);
    for (const int fd : {0, 1, 2}) ::posix_spawn_file_actions_addopen(&files, fd, "/dev/null", O_RDWR, 0);
    pid_t pid = 0;
    const int error = ::posix_spawn(&pid, request.argv[0].c_str(), &files, nullptr,
                                    pointers(request.argv).data(), pointers(request.environment).data());
    ::posix_spawn_file_actions_destroy(&files);
    if (error != 0) throw Error(Cause::kSpawnFailed, "it cannot be started", error);
    host_.launched(request.id, pid, "here");
    const std::lock_guard lock(mutex_);
    running_[request.id] = pid;
    threads_.emplace_back([this, id = request.id, pid] { wait(id, pid); });
  }
  void signal(LaunchId, int) override {}

 private:
  void wait(LaunchId id, pid_t pid) {
    siginfo_t info{};
    ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOWAIT);
    {
      const std::lock_guard lock(mutex_);
      running_.erase(id);
      ::waitpid(pid, nullptr, 0);
    }
    for (int twice = 0; twice < 2; ++twice) {
      if (info.si_code == CLD_EXITED) {
        host_.exited(id, info.si_status);
      } else {
        host_.killed(id, info.si_status);
      }
    }
  }

  const Host host_;
  std::mutex mutex_;
  std::map<LaunchId, pid_t> running_;
  std::vector<std::thread> threads_;
};

}  // namespace

HOSTMESH_PLUGIN(EndsTwice, "ends_twice", "1.0.0")
