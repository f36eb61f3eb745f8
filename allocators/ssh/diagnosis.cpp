#include "diagnosis.hpp"

#include <array>
#include <deque>

namespace hostmesh_ssh {

namespace {

constexpr int kConnectionFailed = 255;
constexpr int kNotFound = 127;
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
    Pattern{"no matching host key type", Trouble::kHostKey},
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
    Pattern{"banner exchange: Connection to", Trouble::kNoAnswer},
    Pattern{"Connection timed out", Trouble::kNoAnswer},
    Pattern{"Operation timed out", Trouble::kNoAnswer},
    Pattern{"timeout", Trouble::kNoAnswer},
    Pattern{"MaxStartups", Trouble::kBusy},
    Pattern{"Not allowed at this time", Trouble::kBusy},
    Pattern{"kex_exchange_identification", Trouble::kBusy},
    Pattern{"ssh_exchange_identification", Trouble::kBusy},
    Pattern{"Connection reset by", Trouble::kBusy},
    Pattern{"Connection closed by", Trouble::kBusy},
    Pattern{"closed by remote host", Trouble::kBusy},
};

constexpr std::string_view kOurProgram = "hostmesh-bootstrap: ";

constexpr std::array kVersionWords = {
    std::string_view("does nothing by hand"),
    std::string_view("both ends of the same version"),
};

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
  for (const std::string_view text : kVersionWords) {
    if (has(end.last_lines, text)) return Trouble::kVersion;
  }
  // It is there, and says itself what it could not do.
  if (end.last_lines.starts_with(kOurProgram) || has(end.last_lines, std::string("\n").append(kOurProgram)))
    return Trouble::kRemote;
  // Shells of the csh family exit with 1.
  if (end.number == kNotFound || has(end.last_lines, "ommand not found")) return Trouble::kNoProgram;
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
    case Trouble::kNoProgram:
      return "the program to start is not there";
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
      return "install hostmesh-bootstrap there, or say where it is with the option remote_command";
    case Trouble::kVersion:
      return "install the same version of hostmesh on both ends";
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
