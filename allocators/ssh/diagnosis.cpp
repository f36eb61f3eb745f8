#include "diagnosis.hpp"

#include <array>
#include <deque>

#include "copies.hpp"

namespace hostmesh_ssh {

namespace {

constexpr int kConnectionFailed = 255;
constexpr int kNotFound = 127;
constexpr int kNotExecutable = 126;
constexpr std::size_t kMostWords = 600;  // bytes
constexpr std::size_t kMostLines = 6;

struct Pattern {
  std::string_view text;
  Trouble trouble;
};

// The first that is found counts: the more specific one stands before what it may come with.
constexpr std::array kPatterns = {
    Pattern{"Host key verification failed", Trouble::kHostKey},
    Pattern{"HOST IDENTIFICATION HAS CHANGED", Trouble::kHostKey},
    Pattern{"host key is known for", Trouble::kHostKey},
    Pattern{"Unable to negotiate with", Trouble::kMethods},
    Pattern{"administratively prohibited", Trouble::kJump},
    Pattern{"Permission denied (", Trouble::kLogin},
    Pattern{"Too many authentication failures", Trouble::kLogin},
    Pattern{"No more authentication methods", Trouble::kLogin},
    Pattern{"Temporary failure in name resolution", Trouble::kNameForNow},
    Pattern{"Could not resolve hostname", Trouble::kName},
    Pattern{"Bad configuration option", Trouble::kConfig},
    Pattern{"terminating, ", Trouble::kConfig},
    Pattern{"Connection refused", Trouble::kRefused},
    Pattern{"No route to host", Trouble::kNoRoute},
    Pattern{"Network is unreachable", Trouble::kNoRoute},
    Pattern{"banner line contains invalid characters", Trouble::kNoSsh},
    Pattern{"Bad remote protocol version identification", Trouble::kNoSsh},
    Pattern{": invalid format", Trouble::kNoSsh},
    Pattern{"during banner exchange", Trouble::kNoAnswer},
    Pattern{"Connection timed out", Trouble::kNoAnswer},
    Pattern{"Operation timed out", Trouble::kNoAnswer},
    Pattern{"timeout", Trouble::kNoAnswer},
    Pattern{"stdio forwarding failed", Trouble::kJump},
    Pattern{"MaxStartups", Trouble::kBusy},
    Pattern{"Not allowed at this time", Trouble::kBusy},
    Pattern{"kex_exchange_identification", Trouble::kBusy},
    Pattern{"ssh_exchange_identification", Trouble::kBusy},
    Pattern{"Connection reset by", Trouble::kBusy},
    Pattern{"Connection closed by", Trouble::kBusy},
    Pattern{"closed by remote host", Trouble::kBusy},
};

// Once the login is through: from the remote side.
constexpr std::array kRemotePatterns = {
    Pattern{kAbsent, Trouble::kNoCopy},
    Pattern{kOtherMachine, Trouble::kMachine},
    Pattern{"No space left on device", Trouble::kDiskFull},
    Pattern{"Disk quota exceeded", Trouble::kDiskFull},
    Pattern{kNotWhole, Trouble::kDamaged},
    Pattern{"its client cannot be reached at", Trouble::kNoWayBack},
    Pattern{"does nothing by hand", Trouble::kVersion},
    Pattern{"of the same version", Trouble::kVersion},
    Pattern{"xec format error", Trouble::kMachine},
};

constexpr std::string_view kOurProgram = "hostmesh-bootstrap: ";

bool has(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

Trouble diagnose(const ClientEnd& end) {
  if (end.by_signal) return Trouble::kClientGone;
  if (end.number == kConnectionFailed) {
    for (const Pattern& pattern : kPatterns) {
      if (has(end.last_lines, pattern.text)) return pattern.trouble;
    }
    return Trouble::kOther;
  }
  for (const Pattern& pattern : kRemotePatterns) {
    if (has(end.last_lines, pattern.text)) return pattern.trouble;
  }
  // It is there, and says itself what it could not do.
  if (end.last_lines.starts_with(kOurProgram) || has(end.last_lines, std::string("\n").append(kOurProgram)))
    return end.number == kNotFound ? Trouble::kMissing : Trouble::kRemote;
  // Shells of the csh family exit with 1 for all of these.
  if (end.number == kNotFound || has(end.last_lines, "ommand not found")) return Trouble::kNoProgram;
  if (end.number == kNotExecutable || has(end.last_lines, "ermission denied")) return Trouble::kCannotRun;
  return Trouble::kRemote;
}

bool may_pass(Trouble trouble) {
  return trouble == Trouble::kBusy || trouble == Trouble::kNameForNow;
}

std::string_view meaning(Trouble trouble) {
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
    case Trouble::kLogin:
      return "it refuses the login";
    case Trouble::kNoSsh:
      return "what answers at its ssh port is no ssh daemon";
    case Trouble::kMethods:
      return "its ssh and ours have no method in common";
    case Trouble::kJump:
      return "the host on the way to it does not let us through";
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

std::string_view advice(Trouble trouble) {
  switch (trouble) {
    case Trouble::kBusy:
      return "lower the option parallelism_per_host, or raise MaxStartups of that daemon";
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
