// A program for the tests of process/: does one small thing, named by its first argument.
#include <dirent.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>

#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/spawn.hpp"

namespace {

// "0 1 2 7": the descriptors that are open, without the one this listing needs.
int list_descriptors() {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return 1;
  while (const dirent* entry = ::readdir(folder)) {
    if (entry->d_name[0] == '.' || std::atoi(entry->d_name) == ::dirfd(folder)) continue;
    std::printf("%s\n", entry->d_name);
  }
  return 0;
}

int print_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  std::printf("%llu\n", static_cast<unsigned long long>(limit.rlim_cur));
  return 0;
}

int print_group() {
  std::printf("%d %d\n", ::getpid(), ::getpgrp());
  return 0;
}

// Prints its pid and lives until it is killed.
int linger() {
  std::printf("%d\n", ::getpid());
  std::fflush(stdout);
  for (;;) ::pause();
}

// A process that has left its session, its group and its parent; this one ends once it has.
int daemonise() {
  if (const pid_t between = ::fork(); between > 0) {
    ::waitpid(between, nullptr, 0);
    return 0;
  }
  ::setsid();
  if (::fork() > 0) ::_exit(0);
  return linger();
}

// `generations` processes, each the child of the one before, each in a session of its own; all linger.
int chain(int generations) {
  for (int i = 1; i < generations; ++i) {
    if (::fork() > 0) break;
    ::setsid();
  }
  return linger();
}

// Owns a child with a parent-death signal, by way of a LaunchThread; the child prints its pid on our stdout.
int own_a_child(const char* self) {
  hostmesh::LaunchThread launcher;
  std::promise<bool> launched;
  hostmesh::SpawnRequest request{
      .argv = {self, "linger"}, .stdout_mode = hostmesh::StdioMode::kInherit, .parent_death_signal = SIGKILL};
  std::optional<hostmesh::SpawnedProcess> kept;
  launcher.launch(request, [&](hostmesh::Result<hostmesh::SpawnedProcess> child) {
    if (child) kept.emplace(*std::move(child));
    launched.set_value(child.has_value());
  });
  if (!launched.get_future().get()) return 1;
  for (;;) ::pause();
}

int segfault() {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  if (what == "descriptors") return list_descriptors();
  if (what == "limit") return print_limit();
  if (what == "group") return print_group();
  if (what == "linger") return linger();
  if (what == "daemonise") return daemonise();
  if (what == "chain") return chain(std::atoi(argv[2]));
  if (what == "own-a-child") return own_a_child(argv[0]);
  if (what == "segfault") return segfault();
  std::fprintf(stderr, "process_helper: what is '%s'?\n", what.c_str());
  return 64;
}
