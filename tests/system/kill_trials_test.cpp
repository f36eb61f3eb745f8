// Random kills of whoever owns something, at random moments, with everything below that is hard to find or to
// end. A second and a half later there is nobody left.
//
// HOSTMESH_KILL_TRIALS says how many (default: few), HOSTMESH_KILL_SEED from where; what fails says its seed.
#include <sys/resource.h>

#include <csignal>
#include <cstdlib>
#include <random>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

using std::chrono::milliseconds;

int number_from(const char* variable, int otherwise) {
  const char* const text = std::getenv(variable);
  return text == nullptr ? otherwise : std::atoi(text);
}

class KillTrials : public SystemTest {
 protected:
  static constexpr const char* kKinds =
      "plain group session again deaf blocked bare closed stopped elsewhere chain threads reaper private "
      "runner "
      "writer limited";

  std::string command() const {
    return std::string("for kind in ") + kKinds + "; do " + NASTY + " $kind " + mark() + "; done; exec " +
           sleep_marked();
  }

  struct Trial {
    Running& run;
    pid_t client = 0;
    std::vector<pid_t> hosts;
    std::mt19937& random;

    void to(pid_t pid, int signal) const { ::kill(pid, signal); }
    void to_hosts(int signal) const {
      for (const pid_t host : hosts) to(host, signal);
    }
    pid_t any_host() const { return hosts.empty() ? 0 : hosts[random() % hosts.size()]; }
    void to_any_host(int signal) const {
      if (const pid_t host = any_host()) to(host, signal);
    }
    void pass(milliseconds time) const {
      run.read_until([] { return false; }, time);
    }
    void take_descriptors(pid_t pid) const {
      const rlimit none{.rlim_cur = 3, .rlim_max = 3};
      if (pid != 0) ::prlimit(pid, RLIMIT_NOFILE, &none, nullptr);
    }
  };

  struct Way {
    const char* name;
    void (*kill)(const Trial& trial);
    bool ends_the_run = true;
  };

  // The last of most ends the client, or the keeper, whose client then ends.
  static const std::vector<Way>& ways() {
    static const std::vector<Way> all{
        {"client", [](const Trial& t) { t.to(t.client, SIGKILL); }},
        {"client SEGV", [](const Trial& t) { t.to(t.client, SIGSEGV); }},
        {"client ABRT", [](const Trial& t) { t.to(t.client, SIGABRT); }},
        {"keeper", [](const Trial& t) { t.to(t.run.pid(), SIGKILL); }},
        {"keeper SEGV", [](const Trial& t) { t.to(t.run.pid(), SIGSEGV); }},
        {"client STOP, then KILL", [](const Trial& t) { t.to(t.client, SIGSTOP), t.to(t.client, SIGKILL); }},
        {"keeper STOP, client KILL, keeper KILL",
         [](const Trial& t) {
           t.to(t.run.pid(), SIGSTOP), t.to(t.client, SIGKILL), t.pass(milliseconds(200));
           t.to(t.run.pid(), SIGKILL);
         }},
        {"client STOP, keeper KILL",
         [](const Trial& t) {
           t.to(t.client, SIGSTOP), t.pass(milliseconds(50)), t.to(t.run.pid(), SIGKILL);
         }},
        {"hosts", [](const Trial& t) { t.to_hosts(SIGKILL); }, false},
        {"hosts SEGV", [](const Trial& t) { t.to_hosts(SIGSEGV); }, false},
        {"client and hosts", [](const Trial& t) { t.to(t.client, SIGKILL), t.to_hosts(SIGKILL); }},
        {"hosts and client", [](const Trial& t) { t.to_hosts(SIGKILL), t.to(t.client, SIGKILL); }},
        {"keeper and hosts", [](const Trial& t) { t.to(t.run.pid(), SIGKILL), t.to_hosts(SIGKILL); }},
        {"client and one host", [](const Trial& t) { t.to(t.client, SIGKILL), t.to_any_host(SIGKILL); }},
        {"keeper and one host", [](const Trial& t) { t.to(t.run.pid(), SIGKILL), t.to_any_host(SIGKILL); }},
        {"one host STOP and client", [](const Trial& t) { t.to_any_host(SIGSTOP), t.to(t.client, SIGKILL); }},
        {"one host STOP and keeper",
         [](const Trial& t) { t.to_any_host(SIGSTOP), t.to(t.run.pid(), SIGKILL); }},
        {"hosts STOP, then client",
         [](const Trial& t) { t.to_hosts(SIGSTOP), t.pass(milliseconds(50)), t.to(t.client, SIGKILL); }},
        {"client STOP, hosts, client",
         [](const Trial& t) {
           t.to(t.client, SIGSTOP), t.to_hosts(SIGKILL), t.pass(milliseconds(100)), t.to(t.client, SIGKILL);
         }},
        {"a host without descriptors, client",
         [](const Trial& t) { t.take_descriptors(t.any_host()), t.to(t.client, SIGKILL); }},
        {"client without descriptors, hosts",
         [](const Trial& t) {
           t.take_descriptors(t.client), t.to_hosts(SIGKILL), t.pass(milliseconds(100));
           t.to(t.run.pid(), SIGKILL);
         }},
        {"TERM, then KILL to the client",
         [](const Trial& t) { t.to(t.client, SIGTERM), t.pass(milliseconds(100)), t.to(t.client, SIGKILL); }},
    };
    return all;
  }
};

TEST_F(KillTrials, LeaveNobody) {
  const int trials = number_from("HOSTMESH_KILL_TRIALS", 6);
  const int first = number_from("HOSTMESH_KILL_SEED", static_cast<int>(std::random_device{}() % 1'000'000));
  for (int seed = first; seed < first + trials; ++seed) {
    std::mt19937 random(static_cast<unsigned>(seed));
    const Way& way = ways()[random() % ways().size()];
    const std::string allocator = random() % 2 == 0 ? "process" : "forks";
    const int hosts = 1 + static_cast<int>(random() % 3);
    Running run(run_script({"-a", allocator, "--keep-going", "--extent", "hosts=" + std::to_string(hosts)},
                           command()));
    // In half of the trials all is up; in the others anything may be under way.
    if (random() % 2 == 0) {
      ASSERT_TRUE(run.read_until([&] { return lines_of(run.out()).size() >= 17U * hosts; })) << run.err();
    }
    const Trial trial{.run = run, .client = client_of(run), .hosts = {}, .random = random};
    trial.pass(milliseconds(random() % 400));
    Trial now = trial;
    now.hosts = processes_named("hostmesh-bootstrap");

    way.kill(now);
    if (way.ends_the_run) {
      ASSERT_TRUE(run.await_end()) << "HOSTMESH_KILL_SEED=" << seed << ": " << way.name;
    } else if (!run.await_end(std::chrono::seconds(2))) {
      run.signal(SIGKILL);  // it may have hit no host yet
    }

    const auto left = survivors(mark(), milliseconds(1500));
    for (const pid_t pid : left) ADD_FAILURE() << pid << " " << command_line_of(pid) << " " << state_of(pid);
    ASSERT_TRUE(left.empty()) << "HOSTMESH_KILL_SEED=" << seed << ": " << way.name << ", " << allocator
                              << ", " << hosts << " hosts";
    ASSERT_TRUE(run.await_end());
  }
}

}  // namespace
}  // namespace hostmesh::test
