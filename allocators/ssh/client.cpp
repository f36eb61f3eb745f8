#include "client.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

namespace hostmesh_ssh {

namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

constexpr seconds kMaxInterval{5};

// What a session is. No configuration and no option of the user's may say anything else.
constexpr std::array<std::string_view, 9> kSession{
    "SessionType=default", "StdinNull=no",  "ForkAfterAuthentication=no",
    "RemoteCommand=none",  "RequestTTY=no", "EscapeChar=none",
    "ForwardX11=no",       "Tunnel=no",     "VisualHostKey=no"};

bool is_same_word(std::string_view left, std::string_view right) {
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](unsigned char a, unsigned char b) { return std::tolower(a) == std::tolower(b); });
}

std::string_view name_of(std::string_view option) {
  return option.substr(0, option.find('='));
}

// "command-line: line 0: Bad configuration option: sessiontype". A file's name stands in the place of
// "command-line" when the option is not one of the command line's.
std::optional<std::string_view> unknown_option(std::string_view last_lines) {
  constexpr std::string_view kSource = "command-line";
  constexpr std::string_view kComplaint = "Bad configuration option: ";
  while (!last_lines.empty()) {
    const std::size_t end = std::min(last_lines.find('\n'), last_lines.size());
    const std::string_view line = last_lines.substr(0, end);
    last_lines.remove_prefix(std::min(end + 1, last_lines.size()));
    const std::size_t at = line.find(kComplaint);
    if (line.starts_with(kSource) && at != std::string_view::npos) {
      const std::string_view word = line.substr(at + kComplaint.size());
      return word.substr(0, word.find_first_of(" \t\r"));
    }
  }
  return std::nullopt;
}

}  // namespace

KeepAlive keep_alive_for(nanoseconds connect_timeout, nanoseconds heartbeat_timeout) {
  if (heartbeat_timeout <= nanoseconds::zero()) return {};
  const seconds whole =
      std::max(std::chrono::ceil<seconds>(std::max(connect_timeout, heartbeat_timeout)), seconds(1));
  const seconds interval = std::min(kMaxInterval, whole);
  return {.interval = interval, .count = (whole + interval - seconds(1)) / interval};
}

nanoseconds duration_or(const char* text, nanoseconds otherwise) {
  if (text == nullptr) return otherwise;
  constexpr std::array<std::pair<std::string_view, double>, 6> kUnits{
      {{"h", 3600e9}, {"m", 60e9}, {"s", 1e9}, {"ms", 1e6}, {"us", 1e3}, {"ns", 1}}};
  std::string_view rest = text;
  if (rest == "0") return nanoseconds::zero();
  if (rest.empty()) return otherwise;
  double total = 0;
  while (!rest.empty()) {
    double number = 0;
    const auto [end, failure] =
        std::from_chars(rest.data(), rest.data() + rest.size(), number, std::chars_format::fixed);
    if (failure != std::errc() || !(number >= 0)) return otherwise;
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()));
    const std::string_view name = rest.substr(0, rest.find_first_of("0123456789."));
    const auto unit =
        std::find_if(kUnits.begin(), kUnits.end(), [name](const auto& each) { return each.first == name; });
    if (unit == kUnits.end()) return otherwise;
    total += number * unit->second;
    rest.remove_prefix(name.size());
  }
  if (!(total < 9.2e18)) return otherwise;
  return nanoseconds(static_cast<std::int64_t>(total));
}

bool tells_unknown_option(std::string_view last_lines) {
  return unknown_option(last_lines).has_value();
}

Client::Client(const Settings& settings) : program_{settings.program, "-T", "-x"} {
  if (!settings.config_file.empty()) program_.insert(program_.end(), {"-F", settings.config_file});
  const auto set = [this](std::string option) { options_.push_back({.text = std::move(option)}); };
  // Ours first where it is about safety, and about what a session is; then the user's; then the rest.
  set("BatchMode=yes");
  set("StrictHostKeyChecking=" + settings.strict_host_keys);
  for (const std::string_view option : kSession)
    options_.push_back({.text = std::string(option), .may_be_unknown = true});
  for (const std::string& option : settings.options) set(option);
  set("ConnectTimeout=" + std::to_string(settings.connect_timeout.count()));
  set("ServerAliveInterval=" + std::to_string(settings.keep_alive.interval.count()));
  if (settings.keep_alive.count > 0) set("ServerAliveCountMax=" + std::to_string(settings.keep_alive.count));
  set("ConnectionAttempts=1");
  set("ClearAllForwardings=yes");
  set("PermitLocalCommand=no");
  // Its words are what errors are told by.
  set("LogLevel=INFO");
  if (settings.control_path.empty()) {
    set("ControlMaster=no");
    set("ControlPath=none");
  } else {
    set("ControlMaster=auto");
    set("ControlPath=" + settings.control_path);
    set("ControlPersist=15");
  }
}

std::vector<std::string> Client::words() const {
  std::vector<std::string> words = program_;
  for (const Option& option : options_) {
    if (!option.is_left_out) words.insert(words.end(), {"-o", option.text});
  }
  return words;
}

bool Client::leave_out_unknown(std::string_view last_lines) {
  const auto unknown = unknown_option(last_lines);
  if (!unknown) return false;
  for (Option& option : options_) {
    if (!option.may_be_unknown || option.is_left_out || !is_same_word(name_of(option.text), *unknown))
      continue;
    option.is_left_out = true;
    ++left_out_;
    return true;
  }
  return false;
}

}  // namespace hostmesh_ssh
