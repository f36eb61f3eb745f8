#include "diagnosis.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <optional>
#include <vector>

#include "copies.hpp"
#include "guard.hpp"

namespace hostmesh_ssh {

namespace {

constexpr int kConnectionFailed = 255;
constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr std::size_t kMostWords = 600;  // bytes
constexpr std::size_t kMostLines = 6;

// A line of ssh's own: how it begins, what is in it behind that, and how it ends.
struct Shape {
  std::string_view begin;
  std::string_view part;
  std::string_view end;
  Trouble trouble;
};

constexpr std::array kClientShapes = {
    Shape{"Host key for ", " has changed and you have requested strict checking", "", Trouble::kChangedKey},
    Shape{"@ ", "REMOTE HOST IDENTIFICATION HAS CHANGED!", "", Trouble::kChangedKey},
    Shape{"No ", " host key is known for ", "", Trouble::kHostKey},
    Shape{"Host key verification failed.", "", "", Trouble::kHostKey},
    Shape{"Unable to negotiate with ", " port ", "", Trouble::kMethods},
    Shape{"Received disconnect from ", "Too many authentication failures", "", Trouble::kLogin},
    Shape{"No more authentication methods", "", "", Trouble::kLogin},
    Shape{"ssh: Could not resolve hostname ", "Temporary failure in name resolution", "",
          Trouble::kNameForNow},
    Shape{"ssh: Could not resolve hostname ", "", "", Trouble::kName},
    Shape{"command-line: line ", "", "", Trouble::kConfig},
    Shape{"command-line line ", "", "", Trouble::kConfig},
    Shape{"", ": terminating, ", " bad configuration options", Trouble::kConfig},
    Shape{"Can't open user config file ", "", "", Trouble::kConfig},
    Shape{"Bad owner or permissions on ", "", "", Trouble::kConfig},
    Shape{"ssh: connect to host ", ": Connection refused", "", Trouble::kRefused},
    Shape{"ssh: connect to host ", ": No route to host", "", Trouble::kNoRoute},
    Shape{"ssh: connect to host ", ": Network is unreachable", "", Trouble::kNoRoute},
    Shape{"ssh: connect to host ", ": Permission denied", "", Trouble::kNoRoute},
    Shape{"ssh: connect to host ", " timed out", "", Trouble::kNoAnswer},
    Shape{"channel ", ": open failed: connect failed: Connection refused", "", Trouble::kRefused},
    Shape{"channel ", ": open failed: connect failed: No route to host", "", Trouble::kNoRoute},
    Shape{"channel ", ": open failed: connect failed: Network is unreachable", "", Trouble::kNoRoute},
    Shape{"channel ", ": open failed: connect failed: Connection timed out", "", Trouble::kNoAnswer},
    Shape{"channel ", ": open failed: connect failed: Temporary failure in name resolution", "",
          Trouble::kNameForNow},
    Shape{"channel ", ": open failed: connect failed: Name or service not known", "", Trouble::kName},
    Shape{"channel ", ": open failed: ", "", Trouble::kJump},
    Shape{"kex_exchange_identification: banner line contains invalid characters", "", "", Trouble::kNoSsh},
    Shape{"Bad remote protocol version identification", "", "", Trouble::kNoSsh},
    Shape{"banner exchange: Connection to ", "", ": invalid format", Trouble::kNoSsh},
    Shape{"Connection timed out during banner exchange", "", "", Trouble::kNoAnswer},
    Shape{"Connection to ", " timed out", "", Trouble::kNoAnswer},
    Shape{"Timeout, server ", " not responding", "", Trouble::kNoAnswer},
    Shape{"kex_exchange_identification: ", "", "", Trouble::kBusy},
    Shape{"ssh_exchange_identification: ", "", "", Trouble::kBusy},
    Shape{"Connection reset by ", " port ", "", Trouble::kBusy},
    Shape{"Connection closed by ", "", "", Trouble::kBusy},
    Shape{"Connection to ", "closed by remote host", "", Trouble::kBusy},
};

// What our own program and our own scripts say over there.
constexpr std::array kOurShapes = {
    // As hostmesh says it of a launch whose command returns its stdin: a terminal, which only a shell has use
    // for.
    Shape{"(what was sent to it came back)", "", "", Trouble::kOtherShell},
    Shape{kAbsent, "", "", Trouble::kNoCopy},
    Shape{kOtherMachine, "", "", Trouble::kMachine},
    Shape{kNoComparison, "", "", Trouble::kNoTools},
    Shape{"cat: ", "No space left on device", "", Trouble::kDiskFull},
    Shape{"cat: ", "Disk quota exceeded", "", Trouble::kDiskFull},
    Shape{"mkdir: ", "No space left on device", "", Trouble::kDiskFull},
    Shape{"mkdir: ", "Disk quota exceeded", "", Trouble::kDiskFull},
    Shape{kNotWhole, "", "", Trouble::kDamaged},
    Shape{kUnusableFolder, "", "", Trouble::kNoFolder},
    Shape{"hostmesh-bootstrap: ", "its client cannot be reached at", "", Trouble::kNoWayBack},
    Shape{"hostmesh-bootstrap: ", "of the same version", "", Trouble::kVersion},
};

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool fits(std::string_view line, const Shape& shape) {
  return line.starts_with(shape.begin) && line.ends_with(shape.end) &&
         has(line.substr(shape.begin.size()), shape.part);
}

// "ann@node1: Permission denied (publickey)."
bool is_refused_login(std::string_view line) {
  const std::size_t at = line.find(": Permission denied (");
  if (at == std::string_view::npos || !line.ends_with(").")) return false;
  const std::string_view who = line.substr(0, at);
  return has(who, "@") && !has(who, " ");
}

using Lines = std::vector<std::string_view>;

Lines lines_of(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (!line.empty()) lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

// The last line of ssh's own that tells something.
std::optional<Trouble> last_word(const Lines& lines) {
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (is_refused_login(*line)) return Trouble::kLogin;
    for (const Shape& shape : kClientShapes) {
      if (!fits(*line, shape)) continue;
      // The last line is the same for a key that is unknown, and for one that has changed.
      const bool is_changed =
          shape.trouble == Trouble::kHostKey && std::any_of(line, lines.rend(), [](std::string_view earlier) {
            return fits(earlier, kClientShapes[0]) || fits(earlier, kClientShapes[1]);
          });
      return is_changed ? Trouble::kChangedKey : shape.trouble;
    }
  }
  return std::nullopt;
}

// What ssh calls a peer that it reaches through a command, as over a jump host.
constexpr std::string_view kThroughCommand = "UNKNOWN port 65535";

// That ssh's last lines tell only of the end of what leads there. They are taken away: those before are of
// the command itself, which for a jump host is another ssh.
bool take_end_of_way(Lines& lines) {
  bool is_through_command = false;
  while (!lines.empty() && has(lines.back(), kThroughCommand)) {
    is_through_command = true;
    lines.pop_back();
  }
  if (!is_through_command) return false;
  for (const std::string_view begin : {"kex_exchange_identification: ", "ssh_exchange_identification: ",
                                       "Connection timed out during banner"}) {
    if (lines.empty() || !lines.back().starts_with(begin)) continue;
    lines.pop_back();
    break;
  }
  return true;
}

Diagnosis of_client(Lines lines) {
  const std::optional<Trouble> outer = last_word(lines);
  if (!outer) return {};
  if (!take_end_of_way(lines)) return {.trouble = *outer};
  const std::optional<Trouble> inner = last_word(lines);
  if (!inner) return {.trouble = lines.empty() ? *outer : Trouble::kProxy, .is_on_the_way = true};
  // The jump host was reached, and tells of the target.
  const bool is_of_target = std::any_of(lines.begin(), lines.end(), [](std::string_view line) {
    return line.starts_with("channel ") && has(line, ": open failed: connect failed: ");
  });
  return {.trouble = *inner, .is_on_the_way = !is_of_target && *inner != Trouble::kJump};
}

// A shell of the csh family exits with 1 for all that it cannot start, and names it in its own language:
// "/x/hostmesh-bootstrap: Command not found."
bool shell_names_command(std::string_view line, std::string_view command) {
  const std::string_view name = command.substr(command.rfind('/') + 1);
  const std::size_t at = line.find(std::string(name) + ": ");
  return at != std::string_view::npos && (at == 0 || line[at - 1] == '/') && !has(line.substr(0, at), " ");
}

Trouble of_remote_side(const ClientEnd& end, const Lines& lines) {
  for (const Shape& shape : kOurShapes) {
    if (std::any_of(lines.begin(), lines.end(), [&](std::string_view line) { return fits(line, shape); }))
      return shape.trouble;
  }
  const bool is_shells_word = std::any_of(lines.begin(), lines.end(), [&](std::string_view line) {
    return shell_names_command(line, end.command);
  });
  const bool is_denied = has(end.last_lines, "ermission denied");
  switch (end.number) {
    case kGuardCode:
      return Trouble::kOtherShell;
    case kNotFound:
    case kNotExecutable:
      // It is there, and says itself what it could not do.
      if (std::any_of(lines.begin(), lines.end(),
                      [](std::string_view line) { return line.starts_with("hostmesh-bootstrap: "); }))
        return end.number == kNotFound ? Trouble::kMissing : Trouble::kRemote;
      if (end.number == kNotFound) return Trouble::kNoProgram;
      return has(end.last_lines, "xec format error") ? Trouble::kMachine : Trouble::kCannotRun;
    case 1:
      if (!is_shells_word) break;
      if (has(end.last_lines, "xec format error")) return Trouble::kMachine;
      return is_denied ? Trouble::kCannotRun : Trouble::kNoProgram;
    case 2:
      // A version of ours that has no --exec.
      if (has(end.last_lines, "does nothing by hand")) return Trouble::kVersion;
      break;
    default:
      break;
  }
  for (const std::string_view line : lines) {
    if (line.starts_with("Dropbear ")) return Trouble::kNotOpenSsh;
  }
  return Trouble::kRemote;
}

}  // namespace

Diagnosis diagnose(const ClientEnd& end) {
  if (end.by_signal) return {.trouble = Trouble::kClientGone};
  const Lines lines = lines_of(end.last_lines);
  if (end.number == kConnectionFailed) return of_client(lines);
  return {.trouble = of_remote_side(end, lines)};
}

bool may_pass(Trouble trouble) {
  return trouble == Trouble::kBusy || trouble == Trouble::kNameForNow;
}

namespace {

std::string_view plain_meaning(Trouble trouble) {
  switch (trouble) {
    case Trouble::kBusy:
      return "its ssh daemon closed the connection before the login, again and again";
    case Trouble::kName:
    case Trouble::kNameForNow:
      return "its name does not resolve";
    case Trouble::kRefused:
      return "nobody listens at its ssh port";
    case Trouble::kNoRoute:
      return "the network knows no way to it";
    case Trouble::kNoAnswer:
      return "it did not answer in time";
    case Trouble::kHostKey:
      return "its host key is not one that is trusted";
    case Trouble::kChangedKey:
      return "its host key has changed: it may be another machine";
    case Trouble::kLogin:
      return "it refuses the login";
    case Trouble::kNoSsh:
      return "what answers at its ssh port is no ssh daemon";
    case Trouble::kMethods:
      return "its ssh and ours have no method in common";
    case Trouble::kJump:
      return "the host on the way to it does not let us through";
    case Trouble::kProxy:
      return "what leads to it ended";
    case Trouble::kNoFolder:
      return "the folder for it cannot be used";
    case Trouble::kNoTools:
      return "it has no cksum, which compares the copy";
    case Trouble::kOtherShell:
      return "its login runs another shell in the place of our program";
    case Trouble::kNotOpenSsh:
      return "the ssh client is not OpenSSH's";
    case Trouble::kNoProgram:
      return "there is no hostmesh-bootstrap";
    case Trouble::kNoCopy:
      return "its copy of our program is gone or damaged each time that it has been made";
    case Trouble::kMissing:
      return "the program to start is not there";
    case Trouble::kCannotRun:
      return "the program to start cannot be executed there";
    case Trouble::kMachine:
      return "it is a machine of another kind";
    case Trouble::kDiskFull:
      return "there is no room on its disk";
    case Trouble::kDamaged:
      return "the copy did not arrive whole";
    case Trouble::kNoWayBack:
      return "it cannot reach this machine over tcp";
    case Trouble::kVersion:
      return "its hostmesh-bootstrap is of another version";
    case Trouble::kRemote:
      return "the login worked, and what was started there ended at once";
    case Trouble::kConfig:
      return "ssh does not understand its configuration";
    case Trouble::kClientGone:
      return "its ssh client was killed";
    case Trouble::kOther:
      break;
  }
  return "ssh could not start anything there";
}

}  // namespace

std::string meaning(const Diagnosis& diagnosis) {
  return std::string(diagnosis.is_on_the_way ? "at the host on the way to it: " : "") +
         std::string(plain_meaning(diagnosis.trouble));
}

std::string_view advice(const Diagnosis& diagnosis) {
  if (diagnosis.is_on_the_way &&
      (diagnosis.trouble == Trouble::kHostKey || diagnosis.trouble == Trouble::kChangedKey))
    return "see ssh-keyscan and known_hosts; the option unknown_hosts does not hold for a host on the way";
  switch (diagnosis.trouble) {
    case Trouble::kBusy:
      return "with many logins at once lower the option parallelism_per_host, or raise MaxStartups of that "
             "daemon; "
             "else see whether it lets this machine in";
    case Trouble::kProxy:
      return "see ProxyCommand and ProxyJump of your ssh configuration";
    case Trouble::kChangedKey:
      return "when the machine has a new key for a reason that you know, remove the old one: ssh-keygen -R";
    case Trouble::kOtherShell:
      return "see what a login does that is not interactive: its profile, or ForceCommand of that daemon";
    case Trouble::kNoFolder:
      return "the option push_folder names another one";
    case Trouble::kNotOpenSsh:
      return "the option ssh names the client";
    case Trouble::kNoAnswer:
      return "the option connect_timeout says how long a login may pause";
    case Trouble::kHostKey:
      return "see ssh-keyscan and known_hosts; the option unknown_hosts: accept-new takes new keys";
    case Trouble::kLogin:
      return "a login must work without a question: try ssh -o BatchMode=yes";
    case Trouble::kNoProgram:
      return "install it there, say where it is with the option remote_command, or set push: true";
    case Trouble::kMachine:
      return "the option push_file names the program for another kind";
    case Trouble::kNoWayBack:
      return "set HOSTMESH_TCP_BIND here, or HOSTMESH_TCP_ADVERTISE, to an address that it reaches, or "
             "connection: "
             "ssh";
    case Trouble::kVersion:
      return "install the same version of hostmesh on both ends, or set push: true";
    default:
      return {};
  }
}

std::string words(std::string_view last_lines) {
  std::deque<std::string_view> lines;
  while (!last_lines.empty()) {
    const std::size_t end = last_lines.find('\n');
    const std::string_view line = last_lines.substr(0, end);
    last_lines.remove_prefix(end == std::string_view::npos ? last_lines.size() : end + 1);
    // "@@@@@@@", which ssh frames its warnings with.
    if (line.empty() || line.find_first_not_of("@ ") == std::string_view::npos) continue;
    lines.push_back(line);
    if (lines.size() > kMostLines) lines.pop_front();
  }
  std::string text;
  for (const std::string_view line : lines) text.append(text.empty() ? "" : " / ").append(line);
  if (text.size() > kMostWords) text = "..." + text.substr(text.size() - kMostWords);
  return text;
}

}  // namespace hostmesh_ssh
