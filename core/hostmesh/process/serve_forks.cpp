#include <fcntl.h>
#include <linux/sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "hostmesh/process/detail/close_descriptors.hpp"
#include "hostmesh/process/detail/fork_server_protocol.hpp"
#include "hostmesh/process/detail/packet.hpp"
#include "hostmesh/process/fork_server.hpp"
#include "hostmesh/wire/codec.hpp"

namespace hostmesh {

namespace {

using detail::ForkReply;
using detail::ForkRequest;

// Exit code of a child that could not become what was asked for; its stderr says why.
constexpr int kSetUpFailed = 127;

[[noreturn]] void give_up(const char* what) {
  std::fprintf(stderr, "hostmesh: a forked child could not be set up: %s: %s\n", what, std::strerror(errno));
  std::fflush(stderr);
  ::_exit(kSetUpFailed);
}

// fork(), but the child's parent is our parent, and it comes with a pidfd. The C library keeps the thread's
// id at an address that only the kernel tells; it is brought up to date as fork() would.
pid_t fork_for_parent(int* pidfd) {
  int* thread_id = nullptr;
  if (::prctl(PR_GET_TID_ADDRESS, &thread_id) != 0) thread_id = nullptr;
  clone_args arguments{};
  arguments.flags = CLONE_PARENT | CLONE_PIDFD;
  if (thread_id != nullptr) {
    arguments.flags |= CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID;
    arguments.child_tid = reinterpret_cast<std::uint64_t>(thread_id);
  }
  arguments.pidfd = reinterpret_cast<std::uint64_t>(pidfd);
  arguments.exit_signal = 0;  // CLONE_PARENT: the server's own, which is SIGCHLD
  const long pid = ::syscall(SYS_clone3, &arguments, sizeof arguments);
  if (pid >= 0 || !detail::is_refused_call(errno)) return static_cast<pid_t>(pid);
  // The older call takes the same, in an order of the architecture's own; no flag here uses the last of them.
  const auto forked = [&](std::uint64_t flags) {
#if defined(__x86_64__)
    return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, pidfd, thread_id, nullptr));
#else
    return static_cast<pid_t>(::syscall(SYS_clone, flags, nullptr, pidfd, nullptr, thread_id));
#endif
  };
  const pid_t older = forked(arguments.flags);
  const bool without = older < 0 && (detail::is_refused_call(errno) || errno == EINVAL);
  return without ? forked(arguments.flags & ~std::uint64_t{CLONE_PIDFD}) : older;
}

// As exec would; setenv() would search all that is there once for each entry. Kept for the life of the
// process.
void set_environment(std::vector<std::string> entries) {
  static std::vector<std::string>* kept = nullptr;  // never destroyed: exit handlers may look at it
  static std::vector<char*>* pointers = nullptr;
  kept = new std::vector<std::string>(std::move(entries));
  pointers = new std::vector<char*>;
  pointers->reserve(kept->size() + 1);
  for (std::string& entry : *kept) pointers->push_back(entry.data());
  pointers->push_back(nullptr);
  ::environ = pointers->data();
}

// In the new child: everything of the server's is left behind.
void become(ForkRequest& request, const std::vector<UniqueFd>& streams, pid_t parent) {
  if (request.own_group) ::setsid();
  if (request.parent_death_signal != 0) {
    if (::prctl(PR_SET_PDEATHSIG, request.parent_death_signal) != 0) give_up("prctl PR_SET_PDEATHSIG");
    if (::getppid() != parent) ::_exit(kSetUpFailed);  // it died before we asked to be told
  }
  for (int number = 0; number < 3; ++number) {
    if (::dup2(streams[static_cast<std::size_t>(number)].get(), number) < 0) ::_exit(kSetUpFailed);
  }
  const detail::DescriptorRange others{.first = 3, .last = ~0U};
  if (!detail::close_ranges(&others, 1)) give_up("closing the server's descriptors");
  if (!request.working_directory.empty() && ::chdir(request.working_directory.c_str()) != 0) {
    give_up(("chdir to " + request.working_directory).c_str());
  }
  if (request.descriptor_limit != 0) {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) == 0) {
      limit.rlim_cur = std::min<rlim_t>(request.descriptor_limit, limit.rlim_max);
      ::setrlimit(RLIMIT_NOFILE, &limit);
    }
  }
  set_environment(std::move(request.environment));
}

enum class Side { kServer, kChild };

Side serve(const detail::Packet& packet, pid_t parent, ForkHooks hooks) {
  auto request = wire::decode<ForkRequest>(packet.bytes);
  if (!request || packet.fds.size() != 3) ::_exit(1);  // only our own owner speaks here
  int pidfd = -1;
  const pid_t pid = fork_for_parent(&pidfd);
  if (pid == 0) {
    if (hooks.in_child != nullptr) hooks.in_child();
    // The packet's descriptors go with close_range; their owners must not close what has their numbers then.
    become(*request, packet.fds, parent);
    return Side::kChild;
  }
  const int error = pid < 0 ? errno : 0;
  if (hooks.in_server != nullptr) hooks.in_server();
  const ForkReply reply{.id = request->id, .pid = std::max<pid_t>(pid, 0), .error = error};
  const UniqueFd handle(pidfd);  // empty where there are none: the owner makes do with the pid
  const int sent = !handle
                       ? detail::send_packet(detail::kForkServerFd, wire::encode(reply), {})
                       : detail::send_packet(detail::kForkServerFd, wire::encode(reply), std::array{pidfd});
  if (sent != 0) ::_exit(0);  // the owner is gone
  return Side::kServer;
}

}  // namespace

void serve_forks_if_asked(ForkHooks hooks) {
  if (std::getenv(detail::kForkServerVariable) == nullptr) return;
  const pid_t parent = ::getppid();
  for (;;) {
    auto packet = detail::receive_packet(detail::kForkServerFd);
    if (packet.bytes.empty()) ::_exit(0);
    if (serve(packet, parent, hooks) == Side::kServer) continue;
    for (UniqueFd& fd : packet.fds) (void)fd.release();
    return;
  }
}

}  // namespace hostmesh
