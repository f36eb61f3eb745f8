// Group launch, its third part: what a launch has from the process that its plugin runs in, as any child has.
//
// The case's process gives itself values that nobody would choose, so that a plugin which sets a value of its
// own is seen, whatever that is; then a plain child of it says what it has, and the launch must have the
// same.
#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/cases/described.hpp"
#include "hostmesh/process/rlimit.hpp"

namespace hostmesh::conformance {

namespace {

constexpr std::string_view kInherited = "writing-an-allocator.md, what a launch inherits";

bool begins_with(std::string_view text, std::string_view beginning) {
  return text.substr(0, beginning.size()) == beginning;
}

// Of a child that was launched: `names` are attributes, or what they begin with.
void expect_inherited(Stage& stage, const std::vector<std::string_view>& names) {
  const LaunchRequest request = stage.payload({"describe"});
  const Described plain = describe_plain_child(stage, request);
  Probe probe(stage);

  const Described got = describe(stage, probe, request);

  for (const auto& [name, value] : plain.attributes) {
    const bool asked = std::any_of(names.begin(), names.end(),
                                   [&](std::string_view each) { return begins_with(name, each); });
    if (!asked) continue;
    const auto found = got.attributes.find(name);
    stage.equal("the launch's " + name, found == got.attributes.end() ? "?" : found->second, value);
  }
}

// What of it is refused stays as it is: the launch must have that, then.

void umask_kept(Stage& stage) {
  ::umask(0067);
  expect_inherited(stage, {"umask"});
}

void priority(Stage& stage) {
  constexpr int kThisProcess = 1;
  constexpr int kBestEffort = 2 << 13;
  ::setpriority(PRIO_PROCESS, 0, ::getpriority(PRIO_PROCESS, 0) + 1);
  ::syscall(SYS_ioprio_set, kThisProcess, 0, kBestEffort | 6);
  ::prctl(PR_SET_TIMERSLACK, 61'000UL, 0, 0, 0);
  std::ofstream("/proc/self/oom_score_adj") << 321;
  expect_inherited(stage, {"nice", "scheduling", "io-priority", "timer-slack", "oom-score-adj"});
}

void cpus(Stage& stage) {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  ::sched_getaffinity(0, sizeof(allowed), &allowed);
  int last = CPU_SETSIZE - 1;
  while (last > 0 && !CPU_ISSET(last, &allowed)) --last;
  CPU_ZERO(&allowed);
  CPU_SET(last, &allowed);
  ::sched_setaffinity(0, sizeof(allowed), &allowed);
  expect_inherited(stage, {"cpus", "memory-nodes"});
}

// Lowers the soft limit of everything to a value that is odd and high enough.
void limits(Stage& stage) {
  for (int which = 0; which < static_cast<int>(RLIM_NLIMITS); ++which) {
    rlimit limit{};
    const auto resource = static_cast<decltype(RLIMIT_NOFILE)>(which);
    if (::getrlimit(resource, &limit) != 0 || limit.rlim_cur < 16) continue;
    // Seconds, microseconds; bytes, of which a sanitizer maps many.
    const bool is_time = resource == RLIMIT_CPU || resource == RLIMIT_RTTIME;
    const rlim_t high = is_time ? rlim_t{31'536'001} : (rlim_t{1} << 60) + (rlim_t{1} << 20);
    limit.rlim_cur = limit.rlim_cur == RLIM_INFINITY ? high : limit.rlim_cur - limit.rlim_cur / 16;
    ::setrlimit(resource, &limit);
  }
  expect_inherited(stage, {"limit "});
}

// A client raises its own limit before it loads a plugin, as it has one descriptor for each host and more.
void descriptor_limit(Stage& stage) {
  constexpr rlim_t kOdd = 509;
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_max <= kOdd) stage.skip("the limit on descriptors cannot be raised here");
  limit.rlim_cur = kOdd;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const std::uint64_t former = value_or_throw(raise_descriptor_limit());
  Probe probe(stage, {.descriptor_limit = former});

  const Described got = describe(stage, probe, stage.payload({"describe"}));

  const auto reports = probe.record().reports();
  const bool run_by_host = std::any_of(reports.begin(), reports.end(),
                                       [](const RawReport& each) { return each.call == "spawn_local"; });
  if (!run_by_host) stage.skip("the plugin starts its launches itself, and cannot know that limit");
  stage.equal("the launch's limit on descriptors", got.attributes.at("limit nofile"),
              std::to_string(former) + "," + std::to_string(limit.rlim_max));
}

void privileges(Stage& stage) {
  constexpr unsigned long kNoAmbientRaise = 1UL << 6;
  constexpr unsigned long kAddressesNotRandom = 0x0040000;
  ::prctl(PR_SET_SECUREBITS, kNoAmbientRaise, 0, 0, 0);
  ::personality(kAddressesNotRandom);
  expect_inherited(stage, {"users", "group-ids", "groups", "no-new-privs", "seccomp",
                           "inheritable-capabilities", "capabilities", "bounding-set", "ambient-capabilities",
                           "securebits", "keep-capabilities", "dumpable", "personality", "huge-pages-off"});
}

}  // namespace

const std::vector<Case>& inherited_cases() {
  const Needs here = needs::kProcesses | needs::kOutput | needs::kSameMachine;
  const std::string_view base = "order.every-launch-ends";
  static const std::vector<Case> cases = {
      {.id = "launch.umask",
       .sentence = "A launch has the umask of the client.",
       .needs = here,
       .rule = kInherited,
       .run = umask_kept,
       .builds_on = base},
      // To give these other values may be what an allocator is for.
      {.id = "launch.priority",
       .sentence =
           "A launch has the niceness, scheduling policy, I/O priority, timer slack and OOM score of the "
           "client.",
       .level = Level::kShould,
       .needs = here,
       .rule = kInherited,
       .run = priority,
       .builds_on = base},
      {.id = "launch.cpus",
       .sentence = "A launch may run on the processors that the client may run on.",
       .level = Level::kShould,
       .needs = here,
       .rule = kInherited,
       .run = cpus,
       .builds_on = base},
      {.id = "launch.limits",
       .sentence = "A launch has the resource limits of the client, each of them.",
       .level = Level::kShould,
       .needs = here,
       .rule = kInherited,
       .run = limits,
       .builds_on = base},
      {.id = "launch.descriptor-limit",
       .sentence =
           "A launch has the limit on descriptors that the client was started with, not the one that it has "
           "raised for itself.",
       .level = Level::kShould,
       .needs = here,
       .rule = "abi.h, hostmesh_command",
       .run = descriptor_limit,
       .builds_on = base},
      {.id = "launch.privileges",
       .sentence =
           "A launch has the user, the groups, the capabilities and the other privileges of the client, no "
           "more and no less.",
       .level = Level::kShould,
       .needs = here,
       .rule = kInherited,
       .run = privileges,
       .builds_on = base},
  };
  return cases;
}

}  // namespace hostmesh::conformance
