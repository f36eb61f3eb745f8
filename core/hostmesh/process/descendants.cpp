#include "hostmesh/process/descendants.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/detail/proc_children.hpp"

namespace hostmesh {

namespace {

template <class Number>
std::optional<Number> parse(std::string_view text) {
  Number value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// True when the process or thread that a file of /proc is about has ended meanwhile.
bool has_ended(int error_number) {
  return error_number == ENOENT || error_number == ESRCH;
}

// The names in a folder; nothing when one of them could not be read, so that no part is taken for the whole.
std::optional<std::vector<std::string>> names_in(const char* folder) {
  const std::unique_ptr<DIR, int (*)(DIR*)> open(::opendir(folder), ::closedir);
  if (!open) return std::nullopt;
  std::vector<std::string> names;
  for (;;) {
    errno = 0;
    const dirent* const entry = ::readdir(open.get());
    if (entry == nullptr) return errno == 0 ? std::optional(std::move(names)) : std::nullopt;
    names.emplace_back(entry->d_name);
  }
}

// /proc may be that of another pid name space, whose numbers mean others.
bool proc_is_ours() {
  std::array<char, 32> target{};
  const ssize_t size = ::readlink("/proc/self", target.data(), target.size());
  return size > 0 && parse<pid_t>({target.data(), static_cast<std::size_t>(size)}) == ::getpid();
}

// Those near the number of this process are asked about first.
constexpr pid_t kNear = 32'768;

// How many process numbers there are; as read when there was a descriptor for it.
pid_t process_numbers() {
  constexpr pid_t kMost = 4'194'304;  // PID_MAX_LIMIT of 64-bit kernels
  static std::atomic<pid_t> known{0};
  if (known != 0) return known;
  std::string text = read_proc_file("/proc/sys/kernel/pid_max").value_or("");
  while (text.ends_with('\n')) text.pop_back();
  const auto read = parse<pid_t>(text);
  if (read) known = *read;
  return read.value_or(kMost);
}

}  // namespace

std::optional<std::string> read_proc_file(const std::string& path) {
  const UniqueFd in(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!in) return std::nullopt;
  std::string text;
  std::array<char, 4096> chunk;
  for (;;) {
    const ssize_t got = ::read(in.get(), chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    if (got == 0) return text;
    text.append(chunk.data(), static_cast<std::size_t>(got));
  }
}

std::optional<ProcessStat> read_process_stat(pid_t pid) {
  const auto text = read_proc_file("/proc/" + std::to_string(pid) + "/stat");
  if (!text) return std::nullopt;
  // PID (NAME) STATE PARENT GROUP SESSION ...; the name may contain anything.
  const std::size_t begin = text->find('(');
  const std::size_t end = text->rfind(')');
  if (begin == std::string::npos || end == std::string::npos || end + 2 >= text->size()) return std::nullopt;
  ProcessStat stat{.name = text->substr(begin + 1, end - begin - 1), .state = (*text)[end + 2]};
  std::string_view rest = std::string_view(*text).substr(std::min(end + 4, text->size()));
  for (pid_t* const field : {&stat.parent, &stat.group, &stat.session}) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    const auto value = parse<pid_t>(rest.substr(0, space));
    if (!value) return std::nullopt;
    *field = *value;
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return stat;
}

namespace detail {

std::optional<std::vector<pid_t>> listed_children_of(pid_t thread) {
  const auto list = read_proc_file("/proc/self/task/" + std::to_string(thread) + "/children");
  if (!list) return std::nullopt;
  std::vector<pid_t> pids;
  for (std::string_view rest = *list; !rest.empty();) {
    const std::size_t space = std::min(rest.find(' '), rest.size());
    if (const auto pid = parse<pid_t>(rest.substr(0, space))) pids.push_back(*pid);
    rest.remove_prefix(std::min(space + 1, rest.size()));
  }
  return pids;
}

std::optional<std::vector<Child>> listed_children() {
  const std::string self = std::to_string(::getpid());
  const auto threads = names_in("/proc/self/task");
  if (!threads || std::ranges::find(*threads, self) == threads->end()) return std::nullopt;
  std::vector<Child> children;
  for (const std::string& thread : *threads) {
    if (thread.starts_with('.')) continue;
    const auto listed = listed_children_of(*parse<pid_t>(thread));
    if (!listed) {
      // The kernel may have no such lists at all; then the main thread, which lives, has none.
      if (has_ended(errno) && thread != self) continue;
      return std::nullopt;
    }
    for (const pid_t pid : *listed) children.push_back({pid, thread == self});
  }
  return children;
}

std::optional<std::vector<Child>> children_by_parent() {
  if (!proc_is_ours()) return std::nullopt;
  const auto processes = names_in("/proc");
  if (!processes) return std::nullopt;
  std::vector<Child> children;
  const pid_t self = ::getpid();
  for (const std::string& name : *processes) {
    const auto pid = parse<pid_t>(name);
    if (!pid) continue;
    const auto stat = read_process_stat(*pid);
    if (!stat && !has_ended(errno)) return std::nullopt;
    if (stat && stat->parent == self) children.push_back({*pid, true});
  }
  return children;
}

std::vector<Child> searched_children() {
  std::vector<Child> children;
  const pid_t self = ::getpid();
  const pid_t end = process_numbers();
  for (pid_t pid = 2; pid < end; ++pid) {
    if (pid != self && is_child_of_this_process(pid)) children.push_back({pid, true});
  }
  return children;
}

std::vector<pid_t> some_children(std::optional<ChildSearch>& search) {
  if (!search) {
    auto listed = listed_children();
    if (!listed) listed = children_by_parent();
    if (listed) {
      std::vector<pid_t> pids;
      for (const Child& child : *listed) pids.push_back(child.pid);
      return pids;
    }
    search.emplace();
  }
  const auto pid = search->next();
  return pid ? std::vector<pid_t>{*pid} : std::vector<pid_t>();
}

}  // namespace detail

Result<> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return {};
  return os_error(Cause::kIo, "become the subreaper of all descendants", errno);
}

namespace {

// The role is the kernel's, and one for the whole process, so its count is as well.
std::mutex role_mutex;
int role_holders = 0;
bool role_is_ours = false;

}  // namespace

SubreaperRole::SubreaperRole() {
  const std::lock_guard lock(role_mutex);
  if (role_holders++ > 0) return;
  int has_role = 0;
  role_is_ours = ::prctl(PR_GET_CHILD_SUBREAPER, &has_role) == 0 && has_role == 0 && become_subreaper();
}

SubreaperRole::~SubreaperRole() {
  const std::lock_guard lock(role_mutex);
  if (--role_holders == 0 && role_is_ours) ::prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0);
}

std::vector<Child> children_of_this_process() {
  if (auto listed = detail::listed_children()) return *std::move(listed);
  if (auto listed = detail::children_by_parent()) return *std::move(listed);
  return detail::searched_children();
}

bool is_child_of_this_process(pid_t pid) {
  siginfo_t info{};
  return ::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0;
}

bool has_children() {
  siginfo_t info{};
  return ::waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) == 0 || errno != ECHILD;
}

namespace {

// Zombies do not count, since their exit is not asked for.
bool has_living_children(idtype_t kind, pid_t id, int flags) {
  siginfo_t info{};
  return ::waitid(kind, static_cast<id_t>(id), &info, WSTOPPED | WNOHANG | WNOWAIT | flags) == 0 ||
         errno != ECHILD;
}

}  // namespace

bool has_living_orphans() {
  return has_living_children(P_ALL, 0, __WNOTHREAD);
}

bool has_living_orphans(pid_t group) {
  return has_living_children(P_PGID, group, 0);
}

std::vector<Orphan> living_orphans(std::optional<pid_t> group) {
  std::vector<Orphan> living;
  const pid_t self = ::getpid();
  if (group && !has_living_orphans(*group)) return living;
  if (!group && ::gettid() == self && !has_living_orphans()) return living;
  const auto listed = detail::listed_children_of(self);
  if (!listed) {
    if (group || has_living_orphans()) living.push_back({.name = "some that cannot be seen"});
    return living;
  }
  for (const pid_t pid : *listed) {
    const auto stat = read_process_stat(pid);
    if (stat && stat->state != 'Z' && (!group || stat->group == *group)) {
      living.push_back({.pid = pid, .group = stat->group, .name = stat->name});
    } else if (!stat && !has_ended(errno)) {
      living.push_back({.pid = pid, .name = "pid " + std::to_string(pid)});
    }
  }
  return living;
}

void ChildSearch::prepare() {
  process_numbers();
}

ChildSearch::ChildSearch()
    : self_(::getpid()),
      end_(std::max(process_numbers(), self_ + 1)),
      above_(std::min(kNear, end_ - self_)),
      below_(std::min(kNear, self_)) {}

// The number that is asked about at that place of a round.
pid_t ChildSearch::number(pid_t place) const {
  if (place < above_) return self_ + place;
  if (place < above_ + below_) return self_ - 1 - (place - above_);
  const pid_t far = place - above_ - below_;
  return far < self_ - below_ ? far : above_ + below_ + far;
}

std::optional<pid_t> ChildSearch::next() {
  for (pid_t asked = 0; asked < end_; ++asked) {
    const bool is_near = place_ < above_ + below_;
    if (place_ >= end_ || (!is_near && std::exchange(has_found_near_, false))) place_ = 0;
    const pid_t pid = number(place_++);
    if (quiet_ < end_) ++quiet_;
    if (pid <= 1 || pid == self_ || !is_child_of_this_process(pid)) continue;
    quiet_ = 0;
    has_found_near_ |= is_near;
    return pid;
  }
  return std::nullopt;
}

}  // namespace hostmesh
