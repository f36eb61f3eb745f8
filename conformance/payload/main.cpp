// hostmesh-payload: what the conformance suite launches through an allocator. It does what a scenario says,
// whose words are in the environment or else are its arguments; without any it is a good child of a mesh.
//
// In the environment, because an allocator may start copies of a running payload, which all have the
// arguments of the first. Whatever becomes of the suite, no payload lives longer than five minutes.
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "actors.hpp"
#include "attributes.hpp"
#include "child.hpp"
#include "hostmesh/mesh/child_main.hpp"
#include "hostmesh/process/fork_server.hpp"
#include "pattern.hpp"

extern char** environ;

namespace {

using hostmesh::payload::escaped;

constexpr unsigned kLongestLife_s = 300;
constexpr int kUsageStatus = 120;
constexpr int kIoStatus = 121;

using Arguments = std::vector<std::string>;

void write_all(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) ::_exit(kIoStatus);
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}
void say(const std::string& text) {
  write_all(STDOUT_FILENO, text.data(), text.size());
}
void say_ready() {
  say("ready " + std::to_string(::getpid()) + "\n");
}

Arguments scenario_of(const std::vector<std::string>& whole_argv) {
  if (const char* told = std::getenv(hostmesh::payload::kEnvScenario)) {
    return hostmesh::payload::words_of(told);
  }
  return whole_argv.empty() ? Arguments() : Arguments(whole_argv.begin() + 1, whole_argv.end());
}

std::string argument(const Arguments& arguments, std::size_t index) {
  if (index < arguments.size()) return arguments[index];
  std::fprintf(stderr, "hostmesh-payload: an argument is missing\n");
  ::_exit(kUsageStatus);
}
int number(const Arguments& arguments, std::size_t index) {
  return std::atoi(argument(arguments, index).c_str());
}

[[noreturn]] void wait_for_ever() {
  for (;;) ::pause();
}

// MODE: a child that does not keep to the protocol.
int bad_child(const Arguments& arguments) {
  hostmesh::payload::run_bad_child(argument(arguments, 0));
}

int exit_with(const Arguments& arguments) {
  return number(arguments, 0);
}

// NUMBER [core]: dies of this signal, without a core file, or with one that is as big as it may be.
int die_of(const Arguments& arguments) {
  const int which = number(arguments, 0);
  rlimit core{0, 0};
  if (arguments.size() > 1) {
    ::getrlimit(RLIMIT_CORE, &core);
    core.rlim_cur = core.rlim_max;
  }
  ::setrlimit(RLIMIT_CORE, &core);
  ::signal(which, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, which);
  ::sigprocmask(SIG_UNBLOCK, &only, nullptr);
  ::raise(which);
  return kUsageStatus;
}

int wait_for_signal(const Arguments&) {
  say_ready();
  wait_for_ever();
}

int ignore_term(const Arguments&) {
  ::signal(SIGTERM, SIG_IGN);
  say_ready();
  wait_for_ever();
}

// Ends with this code when it gets TERM.
int exit_on_term(const Arguments& arguments) {
  static int code;
  code = number(arguments, 0);
  ::signal(SIGTERM, [](int) { ::_exit(code); });
  say_ready();
  wait_for_ever();
}

// Says each USR1 that it gets; with `together`, so does a child in the same group.
int tell_signals(const Arguments& arguments) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  ::sigprocmask(SIG_BLOCK, &set, nullptr);
  if (!arguments.empty() && arguments[0] == "together" && ::fork() == 0) ::alarm(kLongestLife_s);
  say_ready();
  for (;;) {
    int got = 0;
    if (::sigwait(&set, &got) == 0) say("got " + std::to_string(got) + "\n");
  }
}

// Stops itself; says so when somebody continues it.
int freeze(const Arguments&) {
  say_ready();
  ::raise(SIGSTOP);
  say("continued\n");
  return 0;
}

// STREAM BYTES: so much of the pattern, and nothing else.
int write_pattern(const Arguments& arguments) {
  const int fd = argument(arguments, 0) == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
  const std::uint64_t total = std::strtoull(argument(arguments, 1).c_str(), nullptr, 10);
  char piece[8192];
  for (std::uint64_t at = 0; at < total;) {
    std::size_t size = 0;
    while (size < sizeof(piece) && at < total) {
      piece[size++] = static_cast<char>(hostmesh::payload::pattern_byte(at++));
    }
    write_all(fd, piece, size);
  }
  return 0;
}

// STREAM TEXT CODE: the text as it is, then the end.
int print(const Arguments& arguments) {
  const std::string text = argument(arguments, 1);
  write_all(argument(arguments, 0) == "stderr" ? STDERR_FILENO : STDOUT_FILENO, text.data(), text.size());
  return number(arguments, 2);
}

// STREAM COUNT INTERVAL_MS: lines that say when they were written, in nanoseconds of the machine's clock;
// then it waits.
int tick(const Arguments& arguments) {
  const int fd = argument(arguments, 0) == "stderr" ? STDERR_FILENO : STDOUT_FILENO;
  const timespec interval{.tv_sec = 0, .tv_nsec = number(arguments, 2) * 1'000'000L};
  for (int i = 0; i < number(arguments, 1); ++i) {
    ::nanosleep(&interval, nullptr);
    timespec now{};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::string line =
        "tick " + std::to_string(i) + " " + std::to_string(now.tv_sec * 1'000'000'000LL + now.tv_nsec) + "\n";
    write_all(fd, line.data(), line.size());
  }
  wait_for_ever();
}

// FOLDER: leaves an empty file there, named after its pid; then it waits.
int leave_mark(const Arguments& arguments) {
  const std::string file = argument(arguments, 0) + "/" + std::to_string(::getpid());
  const int fd = ::open(file.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (fd < 0) return kIoStatus;
  ::close(fd);
  say_ready();
  wait_for_ever();
}

// Reads stdin to its end and says how much of what it was.
int count_stdin(const Arguments&) {
  std::uint64_t total = 0;
  std::uint64_t hash = hostmesh::payload::kEmptyHash;
  std::uint8_t piece[8192];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, piece, sizeof(piece));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return kIoStatus;
    if (got == 0) break;
    total += static_cast<std::uint64_t>(got);
    hash = hostmesh::payload::hash_of({piece, static_cast<std::size_t>(got)}, hash);
  }
  say("stdin " + std::to_string(total) + " " + std::to_string(hash) + "\n");
  return 0;
}

// Exits with this code when stdin ends.
int until_stdin_ends(const Arguments& arguments) {
  say_ready();
  char piece[8192];
  for (;;) {
    const ssize_t got = ::read(STDIN_FILENO, piece, sizeof(piece));
    if (got == 0) return number(arguments, 0);
    if (got < 0 && errno != EINTR) return kIoStatus;
  }
}

// A child in the same group that holds our stdout; says its pid, and ends. With `stay` it waits, with `deaf`
// it waits and ignores TERM, which its child does not.
int grandchild(const Arguments& arguments) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(kLongestLife_s);
    wait_for_ever();
  }
  const std::string what = arguments.empty() ? "" : arguments[0];
  if (what == "deaf") ::signal(SIGTERM, SIG_IGN);
  say("grandchild " + std::to_string(child) + "\n");
  if (what == "stay" || what == "deaf") wait_for_ever();
  return 0;
}

// A grandchild that does all it can to get away: forked twice, in a session of its own, with no environment,
// ignoring what can be ignored. Holds our stdout.
int daemonise(const Arguments& arguments) {
  int told[2];
  if (::pipe(told) != 0) return kIoStatus;
  const pid_t between = ::fork();
  if (between == 0) {
    ::setsid();
    const pid_t daemon = ::fork();
    if (daemon == 0) {
      ::clearenv();
      ::signal(SIGTERM, SIG_IGN);
      ::signal(SIGHUP, SIG_IGN);
      ::signal(SIGINT, SIG_IGN);
      ::close(told[0]);
      ::close(told[1]);
      ::alarm(kLongestLife_s);
      wait_for_ever();
    }
    write_all(told[1], reinterpret_cast<const char*>(&daemon), sizeof(daemon));
    ::_exit(0);
  }
  pid_t daemon = 0;
  if (::read(told[0], &daemon, sizeof(daemon)) != sizeof(daemon)) return kIoStatus;
  ::waitpid(between, nullptr, 0);
  say("grandchild " + std::to_string(daemon) + "\n");
  if (!arguments.empty() && arguments[0] == "stay") wait_for_ever();
  return 0;
}

int close_output(const Arguments&) {
  say_ready();
  ::close(STDOUT_FILENO);
  ::close(STDERR_FILENO);
  wait_for_ever();
}

std::string link_target(const std::string& path) {
  char target[4096];
  const ssize_t size = ::readlink(path.c_str(), target, sizeof(target));
  return size < 0 ? "?" : std::string(target, static_cast<std::size_t>(size));
}

// One line for each descriptor, without the one that lists them.
void describe_descriptors(std::string& out) {
  DIR* folder = ::opendir("/proc/self/fd");
  if (folder == nullptr) return;
  while (const dirent* entry = ::readdir(folder)) {
    const std::string name = entry->d_name;
    if (name[0] == '.' || std::atoi(name.c_str()) == ::dirfd(folder)) continue;
    out += "fd " + name + " " + escaped(link_target("/proc/self/fd/" + name)) + "\n";
  }
  ::closedir(folder);
}

// Everything that a launcher hands down, one fact a line: NAME VALUE...
int describe(const std::vector<std::string>& whole_argv) {
  std::string out;
  describe_descriptors(out);
  for (const std::string& word : whole_argv) out += "arg " + escaped(word) + "\n";
  for (char** entry = environ; *entry != nullptr; ++entry) out += "env " + escaped(*entry) + "\n";
  char folder[4096];
  out += "cwd " + escaped(::getcwd(folder, sizeof(folder)) == nullptr ? "?" : folder) + "\n";
  out += "pid " + std::to_string(::getpid()) + "\n";
  out += "group " + std::to_string(::getpgrp()) + "\n";
  out += "session " + std::to_string(::getsid(0)) + "\n";
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    for (const char* field : {"SigBlk:", "SigIgn:", "SigCgt:", "SigPnd:", "ShdPnd:"}) {
      const std::size_t size = std::strlen(field);
      if (line.compare(0, size, field) == 0) {
        out += std::string(field, size - 1) + " " + line.substr(line.find_first_not_of(" \t", size)) + "\n";
      }
    }
  }
  for (const auto& [name, value] : hostmesh::payload::attributes()) {
    out += "has " + escaped(name) + " " + escaped(value) + "\n";
  }
  say(out + "end\n");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  hostmesh::serve_forks_if_asked();
  ::alarm(kLongestLife_s);
  const std::vector<std::string> whole(argv, argv + argc);
  const Arguments words = scenario_of(whole);
  if (words.empty()) {
    hostmesh::bootstrap_if_child(hostmesh::payload::actors());
    std::fprintf(stderr, "usage: hostmesh-payload SCENARIO [ARG...]\n");
    return kUsageStatus;
  }
  using Scenario = int (*)(const Arguments&);
  const std::map<std::string_view, Scenario> scenarios = {{"child", bad_child},
                                                          {"close-output", close_output},
                                                          {"count-stdin", count_stdin},
                                                          {"daemonise", daemonise},
                                                          {"exit", exit_with},
                                                          {"exit-on-term", exit_on_term},
                                                          {"freeze", freeze},
                                                          {"grandchild", grandchild},
                                                          {"ignore-term", ignore_term},
                                                          {"leave-mark", leave_mark},
                                                          {"print", print},
                                                          {"signal", die_of},
                                                          {"tell-signals", tell_signals},
                                                          {"tick", tick},
                                                          {"until-stdin-ends", until_stdin_ends},
                                                          {"wait", wait_for_signal},
                                                          {"write", write_pattern}};
  if (words.front() == "describe") return describe(whole);
  const auto scenario = scenarios.find(words.front());
  if (scenario == scenarios.end()) {
    std::fprintf(stderr, "hostmesh-payload: there is no scenario '%s'\n", words.front().c_str());
    return kUsageStatus;
  }
  return scenario->second(Arguments(words.begin() + 1, words.end()));
}
