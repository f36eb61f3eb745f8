#include "hostmesh/conformance/own_pids.hpp"

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <exception>
#include <fstream>
#include <string>
#include <vector>

#include "hostmesh/base/fd.hpp"

namespace hostmesh::conformance {

namespace {

// What came of it travels as words, each ended by a zero: the kind, and what belongs to it.
constexpr const char* kPassed = "passed";
constexpr const char* kFailed = "failed";
constexpr const char* kSkipped = "skipped";

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path) << text;
}

// As root of this machine, or else as root of a new user name space.
bool enter_new_pids() {
  if (::unshare(CLONE_NEWPID) == 0) return true;
  const std::string user = std::to_string(::geteuid());
  const std::string group = std::to_string(::getegid());
  if (::unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0) return false;
  write_file("/proc/self/setgroups", "deny");
  write_file("/proc/self/uid_map", "0 " + user + " 1");
  write_file("/proc/self/gid_map", "0 " + group + " 1");
  return true;
}

bool mount_own_proc() {
  return ::unshare(CLONE_NEWNS) == 0 && ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
         ::mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr) == 0;
}

std::vector<std::string> outcome_of(Stage& stage, const std::function<void(Stage&)>& work) {
  if (!mount_own_proc()) return {kSkipped, std::string("/proc cannot be mounted: ") + std::strerror(errno)};
  try {
    work(stage);
    return {kPassed};
  } catch (const Failure& failure) {
    return {kFailed, failure.expected, failure.seen};
  } catch (const Skip& skip) {
    return {kSkipped, skip.why};
  } catch (const std::exception& error) {
    return {kFailed, "no exception", error.what()};
  }
}

[[noreturn]] void be_first_process(Stage& stage, int tell, const std::function<void(Stage&)>& work) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  std::string text;
  for (const std::string& word : outcome_of(stage, work)) text.append(word).push_back('\0');
  const bool told = ::write(tell, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  ::_exit(told ? 0 : 1);
}

std::vector<std::string> read_words(int fd) {
  std::string text;
  char piece[4096];
  for (ssize_t got = 0; (got = ::read(fd, piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR);) {
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
  }
  std::vector<std::string> words;
  for (std::size_t at = 0; at < text.size(); at += words.back().size() + 1)
    words.emplace_back(text.c_str() + at);
  return words;
}

}  // namespace

void in_own_pids(Stage& stage, const std::function<void(Stage&)>& work) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw os_error(Cause::kIo, "make a pipe", errno);
  const UniqueFd told(ends[0]);
  UniqueFd tell(ends[1]);
  // This process stays where it is; its children, from now on, are in the new name space.
  if (!enter_new_pids()) stage.skip(std::string("there can be no pid name space: ") + std::strerror(errno));
  const pid_t first = ::fork();
  if (first < 0) throw os_error(Cause::kSpawnFailed, "make a process", errno);
  if (first == 0) be_first_process(stage, tell.get(), work);
  tell.reset();
  const std::vector<std::string> words = read_words(told.get());
  ::waitpid(first, nullptr, 0);
  if (words.empty()) stage.fail("the case comes to an end", "its process ended without a word");
  if (words[0] == kSkipped && words.size() == 2) stage.skip(words[1]);
  if (words[0] == kFailed && words.size() == 3) stage.fail(words[1], words[2]);
}

bool choose_next_pid(std::int64_t pid) {
  std::ofstream last("/proc/sys/kernel/ns_last_pid");
  last << pid - 1;
  return static_cast<bool>(last.flush());
}

}  // namespace hostmesh::conformance
