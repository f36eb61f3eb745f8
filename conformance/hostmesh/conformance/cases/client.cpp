// Group client: a plugin is a guest in the client's process, and leaves everything there as it has found it.
//
// Each case looks at one kind of thing: before the plugin is loaded, again and again while the plugin is
// used, and after its instance is destroyed. What is on for the length of one call only is looked for by a
// thread of its own.
#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cfenv>
#include <clocale>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <map>
#include <thread>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/folder.hpp"
#include "hostmesh/conformance/probe.hpp"
#include "hostmesh/process/descendants.hpp"
#include "payload/attributes.hpp"

extern char** environ;

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kGuest = "writing-an-allocator.md, in the client's process";

// Names of things, and how they are.
using Things = std::map<std::string, std::string>;
using Look = std::function<Things()>;

void expect_same(Stage& stage, const std::string& when, const Things& before, const Things& after) {
  for (const auto& [name, value] : before) {
    const auto found = after.find(name);
    stage.equal(name + " of the client, " + when, found == after.end() ? "(not there)" : found->second,
                value);
  }
  for (const auto& [name, value] : after) {
    stage.expect(before.contains(name), "the client has no " + name + ", " + when, value);
  }
}

// Compares, over and over, on a thread of its own.
class Watcher {
 public:
  Watcher(Look look, Things before)
      : thread_([this, look = std::move(look), before = std::move(before)] {
          while (!over_) {
            Things now = look();
            if (now == before) continue;
            seen_ = std::move(now);
            return;
          }
        }) {}
  ~Watcher() { finish(); }
  Watcher(const Watcher&) = delete;
  Watcher& operator=(const Watcher&) = delete;

  // What was seen that differs; nothing when all was as before.
  Things finish() {
    over_ = true;
    if (thread_.joinable()) thread_.join();
    return seen_;
  }

 private:
  std::atomic<bool> over_ = false;
  Things seen_;
  std::thread thread_;  // last: it uses the others
};

// Everything that a plugin is asked for, once.
void use(Stage& stage, const Look& on_this_thread, const Look& on_host_thread, const Look& watched) {
  const Things before = on_this_thread();
  Probe probe(stage);
  Things host_before;
  probe.on_host_thread([&] { host_before = on_host_thread(); });
  const auto look = [&](const std::string& when) {
    expect_same(stage, when, before, on_this_thread());
    Things host_after;
    probe.on_host_thread([&] { host_after = on_host_thread(); });
    expect_same(stage, when + ", on the thread that calls the plugin", host_before, host_after);
  };
  look("after create");

  const LaunchId wordy = probe.launch(stage.payload({"print", "stdout", "some words\n", "3"}));
  look("after launch");
  probe.await_end(wordy);
  look("after the end of a launch");
  LaunchRequest missing = stage.payload({});
  missing.argv = {"/nonexistent/hostmesh-conformance"};
  probe.await_end(probe.launch(std::move(missing)));
  look("after a launch that failed");
  // Its stdin is a pipe that breaks.
  LaunchRequest unread = stage.payload({"exit", "0"});
  unread.stdin_payload = Bytes(1 << 20, 'x');
  probe.await_end(probe.launch(std::move(unread)));
  look("after a launch that did not read its stdin");
  LaunchRequest elsewhere = stage.payload({"exit", "0"});
  elsewhere.working_directory = "/";
  Watcher watcher(watched, watched());
  const int many = stage.plugin().can(Capability::kSameMachine) ? 20 : 1;
  for (int i = 0; i < many; ++i) probe.launch(elsewhere);
  const LaunchId last = probe.launch(stage.payload({"exit", "0"}));
  for (LaunchId id = 1; id <= last; ++id) probe.await_end(id);
  const Things seen = watcher.finish();
  if (!seen.empty()) expect_same(stage, "for the length of one call", watched(), seen);
  if (stage.plugin().can(Capability::kSignal)) {
    const LaunchId waits = probe.launch(stage.payload({"wait"}));
    probe.pause_output(waits);
    probe.resume_output(waits);
    probe.signal(waits, SIGKILL);
    probe.await_end(waits);
  }
  look("after signals");
  probe.destroy();
  look("after destroy");
}

Things nothing() {
  return {};
}

void working_directory(Stage& stage) {
  // One that no plugin would go to by itself.
  const Folder folder;
  std::filesystem::current_path(folder.path());
  const Look look = [] {
    std::array<char, 4096> path{};
    const ssize_t size = ::readlink("/proc/self/cwd", path.data(), path.size());
    return Things{{"the working directory", size < 0
                                                ? std::strerror(errno)
                                                : std::string(path.data(), static_cast<std::size_t>(size))}};
  };
  use(stage, look, nothing, look);
  std::filesystem::current_path("/");
}

void umask_kept(Stage& stage) {
  ::umask(0067);
  const Look look = [] {
    const std::string status = read_proc_file("/proc/self/status").value_or("");
    const std::size_t at = status.find("Umask:");
    return Things{{"the umask", at == std::string::npos ? "?" : status.substr(at + 7, 4)}};
  };
  use(stage, look, nothing, look);
}

void environment(Stage& stage) {
  ::setenv("CONFORMANCE_CLIENT", "as it was", 1);
  const Look look = [] {
    Things all;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
      const std::string text = *entry;
      const std::size_t equals = text.find('=');
      all["the variable " + text.substr(0, equals)] = text.substr(std::min(equals, text.size()));
    }
    return all;
  };
  use(stage, look, nothing, nothing);
}

std::string address_text(const void* address) {
  char text[32];
  std::snprintf(text, sizeof(text), "%p", address);
  return text;
}

std::string signal_text(int number) {
  return "signal " + std::to_string(number) + " (" + signal_name(number) + ")";
}

Things dispositions() {
  Things all;
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action {};
    if (::sigaction(number, nullptr, &action) != 0) continue;
    // Both kinds of handler are one pointer.
    all["what is done on " + signal_text(number)] =
        action.sa_handler == SIG_DFL ? "the default"
        : action.sa_handler == SIG_IGN
            ? "ignored"
            : "the handler " + address_text(reinterpret_cast<void*>(action.sa_handler));
  }
  return all;
}

Things blocked() {
  Things all;
  sigset_t mask;
  ::pthread_sigmask(SIG_SETMASK, nullptr, &mask);
  for (int number = 1; number < NSIG; ++number) {
    all[signal_text(number)] = sigismember(&mask, number) == 1 ? "blocked" : "not blocked";
  }
  for (const auto& [name, which] :
       {std::pair("the real timer", ITIMER_REAL), std::pair("the profiling timer", ITIMER_PROF)}) {
    itimerval timer{};
    ::getitimer(which, &timer);
    all[name] = timer.it_value.tv_sec == 0 && timer.it_value.tv_usec == 0 ? "off" : "on";
  }
  return all;
}

void signals(Stage& stage) {
  ::signal(SIGUSR1, SIG_IGN);
  ::signal(SIGUSR2, [](int) {});
  const Look look = [] {
    Things all = dispositions();
    all.merge(blocked());
    return all;
  };
  use(stage, look, blocked, dispositions);
}

void descriptors(Stage& stage) {
  const UniqueFd ours(::open("/dev/null", O_RDONLY | O_NONBLOCK));  // without close-on-exec, as it may be
  const Look look = [fd = ours.get()] {
    Things all;
    for (const int each : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO, fd}) {
      const std::string name = "descriptor " + std::to_string(each);
      struct stat about {};
      all[name] = ::fstat(each, &about) != 0
                      ? "closed"
                      : std::to_string(about.st_dev) + ":" + std::to_string(about.st_ino);
      all["the flags of " + name] =
          std::to_string(::fcntl(each, F_GETFD)) + ", " + std::to_string(::fcntl(each, F_GETFL));
    }
    return all;
  };
  use(stage, look, nothing, nothing);
}

// Its attributes as a launch would have them, and what else a program can be told to do differently.
Things attributes_of_this_thread() {
  Things all;
  for (const auto& [name, value] : payload::attributes()) all[name] = value;
  all.erase("umask");
  char name[16] = {};
  ::prctl(PR_GET_NAME, name);
  all["the name of the thread"] = name;
  all["the rounding mode"] = std::to_string(std::fegetround());
  return all;
}

void attributes(Stage& stage) {
  const Look look = [] {
    Things all = attributes_of_this_thread();
    int subreaper = 0;
    ::prctl(PR_GET_CHILD_SUBREAPER, &subreaper);
    all["that it adopts orphans"] = std::to_string(subreaper);
    all["the process group"] = std::to_string(::getpgrp());
    all["the session"] = std::to_string(::getsid(0));
    all["the locale"] = std::setlocale(LC_ALL, nullptr);
    all["the terminate handler"] = address_text(reinterpret_cast<void*>(std::get_terminate()));
    return all;
  };
  use(stage, look, attributes_of_this_thread, nothing);
}

// The client has a child of its own, and wants to know how it ended.
void children(Stage& stage) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(9);
  if (child < 0) throw os_error(Cause::kSpawnFailed, "make a process", errno);
  siginfo_t ended{};
  ::waitid(P_PID, static_cast<id_t>(child), &ended, WEXITED | WNOWAIT);
  Probe probe(stage);
  for (int i = 0; i < 4; ++i) probe.await_end(probe.launch(stage.payload({"exit", "0"})));
  probe.destroy();

  int status = 0;
  const bool ours = ::waitpid(child, &status, WNOHANG) == child;
  stage.expect(ours, "a child that the client has started itself is left for the client to wait for",
               "pid " + std::to_string(child) + " is gone");
  stage.expect(WIFEXITED(status) && WEXITSTATUS(status) == 9, "it is said to have exited with code 9",
               std::to_string(status));
}

}  // namespace

const std::vector<Case>& client_cases() {
  const Needs processes = needs::kProcesses;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "client.working-directory",
       .sentence = "The working directory of the client stays as it is, for as long as one call, too.",
       .needs = processes,
       .rule = kGuest,
       .run = working_directory,
       .builds_on = base},
      {.id = "client.umask",
       .sentence = "The umask of the client stays as it is, for as long as one call, too.",
       .needs = processes,
       .rule = kGuest,
       .run = umask_kept,
       .builds_on = base},
      {.id = "client.environment",
       .sentence = "The environment of the client stays as it is.",
       .needs = processes,
       .rule = kGuest,
       .run = environment,
       .builds_on = base},
      {.id = "client.signals",
       .sentence =
           "What the client does on signals, which of them it blocks, and its timers stay as they are.",
       .needs = processes,
       .rule = kGuest,
       .run = signals,
       .builds_on = base},
      {.id = "client.descriptors",
       .sentence = "The descriptors of the client, their flags included, stay as they are.",
       .needs = processes,
       .rule = kGuest,
       .run = descriptors,
       .builds_on = base},
      {.id = "client.attributes",
       .sentence =
           "The limits, priority, privileges, locale and name of the client and of the thread that calls the "
           "plugin stay as they are.",
       .needs = processes,
       .rule = kGuest,
       .run = attributes,
       .builds_on = base},
      {.id = "client.children",
       .sentence = "Children of the client that the plugin has not started are left to the client.",
       .needs = processes,
       .rule = kGuest,
       .run = children,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
