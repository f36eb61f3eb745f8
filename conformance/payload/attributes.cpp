#include "attributes.hpp"

#include <sched.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <fstream>
#include <map>

namespace hostmesh::payload {

namespace {

using Attributes = std::vector<std::pair<std::string, std::string>>;

// Blanks as commas, for a value is one word.
std::string one_word(std::string line) {
  while (!line.empty() && (line.back() == ' ' || line.back() == '\t')) line.pop_back();
  for (char& each : line) {
    if (each == ' ' || each == '\t') each = ',';
  }
  return line.empty() ? "?" : line;
}

void add_status(Attributes& all) {
  const std::map<std::string, std::string> fields = {{"Umask", "umask"},
                                                     {"Cpus_allowed_list", "cpus"},
                                                     {"Mems_allowed_list", "memory-nodes"},
                                                     {"Uid", "users"},
                                                     {"Gid", "group-ids"},
                                                     {"Groups", "groups"},
                                                     {"NoNewPrivs", "no-new-privs"},
                                                     {"Seccomp", "seccomp"},
                                                     {"CapInh", "inheritable-capabilities"},
                                                     {"CapPrm", "capabilities"},
                                                     {"CapBnd", "bounding-set"},
                                                     {"CapAmb", "ambient-capabilities"}};
  std::ifstream status("/proc/thread-self/status");
  for (std::string line; std::getline(status, line);) {
    const std::size_t colon = line.find(':');
    const auto field = fields.find(line.substr(0, colon));
    if (field == fields.end()) continue;
    const std::size_t value = line.find_first_not_of(" \t", colon + 1);
    all.emplace_back(field->second, one_word(value == std::string::npos ? "none" : line.substr(value)));
  }
}

void add_scheduling(Attributes& all) {
  all.emplace_back("nice", std::to_string(::getpriority(PRIO_PROCESS, 0)));
  sched_param parameters{};
  ::sched_getparam(0, &parameters);
  all.emplace_back("scheduling",
                   std::to_string(::sched_getscheduler(0)) + "," + std::to_string(parameters.sched_priority));
  constexpr int kThisProcess = 1;
  all.emplace_back("io-priority", std::to_string(::syscall(SYS_ioprio_get, kThisProcess, 0)));
  all.emplace_back("timer-slack", std::to_string(::prctl(PR_GET_TIMERSLACK)));
  std::ifstream file("/proc/self/oom_score_adj");
  std::string adjustment;
  std::getline(file, adjustment);
  all.emplace_back("oom-score-adj", one_word(adjustment));
}

void add_limits(Attributes& all) {
  const std::pair<const char*, decltype(RLIMIT_NOFILE)> limits[] = {
      {"as", RLIMIT_AS},           {"core", RLIMIT_CORE},         {"cpu", RLIMIT_CPU},
      {"data", RLIMIT_DATA},       {"fsize", RLIMIT_FSIZE},       {"locks", RLIMIT_LOCKS},
      {"memlock", RLIMIT_MEMLOCK}, {"msgqueue", RLIMIT_MSGQUEUE}, {"nice", RLIMIT_NICE},
      {"nofile", RLIMIT_NOFILE},   {"nproc", RLIMIT_NPROC},       {"rss", RLIMIT_RSS},
      {"rtprio", RLIMIT_RTPRIO},   {"rttime", RLIMIT_RTTIME},     {"sigpending", RLIMIT_SIGPENDING},
      {"stack", RLIMIT_STACK}};
  for (const auto& [name, which] : limits) {
    rlimit limit{};
    const bool known = ::getrlimit(which, &limit) == 0;
    all.emplace_back(std::string("limit ") + name,
                     known ? std::to_string(limit.rlim_cur) + "," + std::to_string(limit.rlim_max) : "?");
  }
}

}  // namespace

Attributes attributes() {
  Attributes all;
  add_status(all);
  add_scheduling(all);
  add_limits(all);
  all.emplace_back("securebits", std::to_string(::prctl(PR_GET_SECUREBITS)));
  all.emplace_back("keep-capabilities", std::to_string(::prctl(PR_GET_KEEPCAPS)));
  all.emplace_back("dumpable", std::to_string(::prctl(PR_GET_DUMPABLE)));
  all.emplace_back("huge-pages-off", std::to_string(::prctl(PR_GET_THP_DISABLE, 0, 0, 0, 0)));
  constexpr unsigned long kAsk = 0xFFFFFFFF;
  all.emplace_back("personality", std::to_string(::personality(kAsk)));
  return all;
}

}  // namespace hostmesh::payload
