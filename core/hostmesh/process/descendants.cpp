#include "hostmesh/process/descendants.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <string>
#include <string_view>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/process/detail/proc_children.hpp"

namespace hostmesh {

namespace {

namespace fs = std::filesystem;

std::optional<pid_t> number(std::string_view text) {
  pid_t value = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failed != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// The parent in a /proc/PID/stat: the second field after the name, which is in parentheses and may contain
// any.
std::optional<pid_t> parent_in(std::string_view stat) {
  const std::size_t name_end = stat.rfind(')');
  if (name_end == std::string_view::npos || stat.size() < name_end + 5) return std::nullopt;
  const std::string_view rest = stat.substr(name_end + 4);
  return number(rest.substr(0, rest.find(' ')));
}

}  // namespace

// A process may end between the opening and the reading, which then fails with ESRCH; a file stream would
// throw.
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

namespace detail {

std::optional<std::vector<Child>> listed_children() {
  std::vector<Child> children;
  std::error_code failed;
  const pid_t self = ::getpid();
  if (!fs::exists("/proc/self/task/" + std::to_string(self) + "/children", failed)) return std::nullopt;
  for (const auto& thread : fs::directory_iterator("/proc/self/task", failed)) {
    const auto list = read_proc_file(thread.path() / "children");
    if (!list) continue;  // the thread has ended
    const bool main_thread = number(thread.path().filename().native()) == self;
    for (std::string_view rest = *list; !rest.empty();) {
      const std::size_t space = std::min(rest.find(' '), rest.size());
      if (const auto pid = number(rest.substr(0, space))) children.push_back({*pid, main_thread});
      rest.remove_prefix(std::min(space + 1, rest.size()));
    }
  }
  return children;
}

std::vector<Child> children_by_parent() {
  std::vector<Child> children;
  std::error_code failed;
  const pid_t self = ::getpid();
  for (const auto& entry : fs::directory_iterator("/proc", failed)) {
    const auto pid = number(entry.path().filename().native());
    if (!pid) continue;
    const auto stat = read_proc_file(entry.path() / "stat");
    if (stat && parent_in(*stat) == self) children.push_back({*pid, true});
  }
  return children;
}

}  // namespace detail

Result<> become_subreaper() {
  if (::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0) return {};
  return os_error(Cause::kIo, "become the subreaper of all descendants", errno);
}

std::vector<Child> children_of_this_process() {
  if (auto listed = detail::listed_children()) return *std::move(listed);
  return detail::children_by_parent();
}

}  // namespace hostmesh
