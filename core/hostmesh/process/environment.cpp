#include "hostmesh/process/environment.hpp"

#include <unistd.h>

#include <atomic>
#include <string_view>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

namespace {

constexpr std::size_t kShown = 6;  // bytes

// A letter that would upset a terminal or a log shows as '?'.
std::string beginning_of(std::string_view entry) {
  std::string text = valid_utf8(utf8_prefix(entry, kShown));
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  }
  return entry.size() > kShown ? text + "..." : text;
}

}  // namespace

Environment environment_of(const char* const* entries) {
  Environment environment;
  for (std::size_t place = 1; entries != nullptr && *entries != nullptr; ++entries, ++place) {
    const std::string_view entry = *entries;
    const std::size_t equals = entry.find('=');
    if (equals != 0 && equals != std::string_view::npos) {
      environment.variables.emplace_back(entry);
      continue;
    }
    environment.left_out.push_back(log::field("place", std::to_string(place)) + " " +
                                   log::field("begins", beginning_of(entry)));
  }
  return environment;
}

std::vector<std::string> inherited_environment() {
  static std::atomic<bool> is_told = false;
  Environment environment = environment_of(::environ);
  if (!environment.left_out.empty() && !is_told.exchange(true)) {
    for (const std::string& entry : environment.left_out) {
      log::warning("an entry of the environment is not of the form NAME=value and is not passed on " + entry);
    }
  }
  return std::move(environment.variables);
}

}  // namespace hostmesh
