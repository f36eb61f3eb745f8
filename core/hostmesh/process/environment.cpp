#include "hostmesh/process/environment.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <string_view>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kShown = 6;  // bytes

// A letter that would upset a terminal or a log shows as '?'.
std::string beginning_of(std::string_view entry) {
  std::string text = valid_utf8(utf8_prefix(entry, kShown));
  for (char& letter : text) {
    if (static_cast<unsigned char>(letter) < 0x20 || letter == 0x7f) letter = '?';
  }
  return entry.size() > kShown ? text + "..." : text;
}

std::string_view name_of(std::string_view entry) {
  return entry.substr(0, entry.find('='));
}

bool contains(const std::vector<std::string>& variables, std::string_view name) {
  return std::ranges::any_of(variables, [name](const std::string& entry) { return name_of(entry) == name; });
}

// A place, or a session.
bool is_of_a_place(std::string_view name) {
  constexpr std::array kNames{"HOME"sv,
                              "USER"sv,
                              "LOGNAME"sv,
                              "SHELL"sv,
                              "MAIL"sv,
                              "HOSTNAME"sv,
                              "PWD"sv,
                              "OLDPWD"sv,
                              "TMPDIR"sv,
                              "TMP"sv,
                              "TEMP"sv,
                              "TEMPDIR"sv,
                              "DISPLAY"sv,
                              "WINDOWID"sv,
                              "WAYLAND_DISPLAY"sv,
                              "XAUTHORITY"sv,
                              "SESSION_MANAGER"sv,
                              "STY"sv,
                              "TMUX"sv,
                              "TMUX_PANE"sv,
                              "KRB5CCNAME"sv,
                              "NOTIFY_SOCKET"sv,
                              "INVOCATION_ID"sv,
                              "JOURNAL_STREAM"sv};
  constexpr std::array kBeginnings{"XDG_"sv, "SSH_"sv,     "DBUS_"sv,  "SUDO_"sv,
                                   "GPG_"sv, "SYSTEMD_"sv, "LISTEN_"sv};
  return std::ranges::find(kNames, name) != kNames.end() ||
         std::ranges::any_of(kBeginnings, [name](auto begin) { return name.starts_with(begin); });
}

bool may_be_a_secret(std::string_view name) {
  constexpr std::array kBeginnings{"AWS_"sv, "GOOGLE_"sv, "AZURE_"sv, "VAULT_"sv};
  constexpr std::array kEnds{"_TOKEN"sv, "_KEY"sv, "_PASS"sv, "_PAT"sv};
  constexpr std::array kParts{"SECRET"sv, "PASSWORD"sv, "PASSWD"sv, "PASSPHRASE"sv, "CREDENTIAL"sv};
  return name == "TOKEN" ||
         std::ranges::any_of(kBeginnings, [name](auto begin) { return name.starts_with(begin); }) ||
         std::ranges::any_of(kEnds, [name](auto end) { return name.ends_with(end); }) ||
         std::ranges::any_of(kParts, [name](auto part) { return name.find(part) != name.npos; });
}

// What every login sets, besides that.
bool is_of_every_login(std::string_view name) {
  constexpr std::array kNames{"PATH"sv, "LANG"sv, "LANGUAGE"sv, "TZ"sv, "TERM"sv};
  return std::ranges::find(kNames, name) != kNames.end() || name.starts_with("LC_");
}

}  // namespace

bool stays_here(std::string_view name) {
  return is_of_a_place(name) || may_be_a_secret(name);
}

Result<Export> Export::parse(std::string_view text) {
  if (text == "all") return Export{.kind = Kind::kAll};
  if (text == "none") return Export{.kind = Kind::kNone};
  Export named{.kind = Kind::kNamed};
  for (std::string_view rest = text;;) {
    const std::size_t comma = rest.find(',');
    const std::string_view entry = rest.substr(0, comma);
    if (name_of(entry).empty())
      return Error(Cause::kInvalidArgument, "'" + std::string(text) + "' is not all, none or NAME,...");
    named.names.emplace_back(entry);
    if (comma == rest.npos) return named;
    rest.remove_prefix(comma + 1);
  }
}

Exported exported(const std::vector<std::string>& variables, const Export& which, bool to_another_machine) {
  if (which.kind == Export::Kind::kAll || (which.kind == Export::Kind::kUsual && !to_another_machine))
    return {.variables = variables};
  Exported result{.takes_hosts_own = true};
  for (const std::string& entry : variables) {
    const bool is_wanted = which.kind == Export::Kind::kUsual
                               ? !stays_here(name_of(entry))
                               : std::ranges::find(which.names, name_of(entry)) != which.names.end();
    if (is_wanted) result.variables.push_back(entry);
  }
  for (const std::string& entry : which.names) {
    if (entry.find('=') != entry.npos) result.variables.push_back(entry);
  }
  return result;
}

void add_hosts_own(std::vector<std::string>& variables, const std::vector<std::string>& own) {
  std::vector<std::string> added;
  for (const std::string& entry : own) {
    const std::string_view name = name_of(entry);
    if ((is_of_every_login(name) || is_of_a_place(name)) && !contains(variables, name))
      added.push_back(entry);
  }
  variables.insert(variables.end(), added.begin(), added.end());
}

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
