#include "hostmesh/base/fault.hpp"

#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <string>

namespace hostmesh::fault {

namespace {

struct Plan {
  std::string role;
  Point point = Point::kThread;
  std::uint64_t number = 0;  // 0: no plan
  bool all_after = false;
};

Plan read_plan(std::string_view text) {
  const std::size_t first = text.find(':');
  const std::size_t second = text.find(':', first == std::string_view::npos ? first : first + 1);
  if (second == std::string_view::npos) return {};
  Plan plan{.role = std::string(text.substr(0, first))};
  const std::string_view point = text.substr(first + 1, second - first - 1);
  if (point == "process") {
    plan.point = Point::kProcess;
  } else if (point != "thread") {
    return {};
  }
  text.remove_prefix(second + 1);
  plan.all_after = text.ends_with('+');
  if (plan.all_after) text.remove_suffix(1);
  std::from_chars(text.data(), text.data() + text.size(), plan.number);
  return plan;
}

Plan& plan() {
  static Plan read = [] {
    const char* const variable = std::getenv("HOSTMESH_FAULT");
    return read_plan(variable == nullptr ? "" : variable);
  }();
  return read;
}

std::string_view role_of_process = "client";
std::atomic<std::uint64_t> count = 0;

}  // namespace

void set_role(std::string_view role) {
  role_of_process = role;
}

void set_plan(std::string_view text) {
  plan() = read_plan(text);
  count = 0;
}

int next(Point point) {
  const Plan& wanted = plan();
  if (wanted.number == 0 || wanted.point != point || wanted.role != role_of_process) return 0;
  const std::uint64_t now = ++count;
  const bool fails = wanted.all_after ? now >= wanted.number : now == wanted.number;
  if (!fails) return 0;
  return EAGAIN;  // what fork and clone say
}

}  // namespace hostmesh::fault
