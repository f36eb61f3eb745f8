// The allocator `ssh`: every launch is on the other end of a connection that the system's ssh client makes.
//
// The client is run as anybody would run it by hand: with the user's own configuration, keys, jump hosts and
// known hosts, and never with a question or an unchecked host key. What passes the remote shell is one fixed
// command, `hostmesh-bootstrap --exec`; all else goes over its stdin. A child of the bootstrap protocol talks
// to its owner over that same stdin and stdout, so that no port but ssh's is needed, and the end of the
// connection, however it comes, is the end of everything over there.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <map>
#include <mutex>
#include <random>
#include <sstream>

#include "connecting.hpp"
#include "diagnosis.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "hosts.hpp"

namespace {

using namespace hostmesh::plugin;
using hostmesh_ssh::Connecting;
using hostmesh_ssh::Target;
using hostmesh_ssh::Trouble;

[[noreturn]] void misconfigured(const std::string& why) {
  throw Error(Cause::kConfiguration, why);
}

// ssh counts in whole seconds, and 0 is for ever.
std::string whole_seconds(Duration duration) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(duration).count()));
}

std::size_t at_least_one(const Config& config, std::string_view key) {
  const std::int64_t value = config.integer(key);
  if (value < 1)
    misconfigured("option '" + std::string(key) + "' is " + std::to_string(value) + ": at least 1");
  return static_cast<std::size_t>(value);
}

struct Settings {
  std::vector<Target> hosts;
  std::size_t slots = 1;
  std::string working_directory;
  std::vector<std::string> environment;  // "NAME=value"
  std::string remote_command;
  std::vector<std::string> client;  // ssh and its options, up to the host
  unsigned retries = 0;
  Connecting::Limits limits;
};

std::vector<Target> hosts_of(const Config& config) {
  std::vector<Target> hosts;
  try {
    hosts = hostmesh_ssh::parse_hosts(config.list("hosts"));
    const std::string& file = config.text("hosts_file");
    if (!file.empty()) {
      std::ifstream in(file, std::ios::binary);
      std::ostringstream text;
      if (!(text << in.rdbuf()))
        misconfigured("option 'hosts_file': " + file + " cannot be read, or is empty");
      const auto more = hostmesh_ssh::parse_hosts_file(text.str(), file);
      hosts.insert(hosts.end(), more.begin(), more.end());
    }
  } catch (const std::invalid_argument& wrong) {
    misconfigured(std::string("option 'hosts': ") + wrong.what());
  }
  if (hosts.empty()) misconfigured("no hosts: set the option hosts, or hosts_file");
  return hosts;
}

// NAME=value as it is; a NAME alone is taken from our own environment, where it is set.
std::vector<std::string> environment_of(const Config& config) {
  std::vector<std::string> environment;
  for (const std::string& entry : config.list("environment")) {
    if (entry.empty() || entry.front() == '=')
      misconfigured("option 'environment': '" + entry + "' has no name");
    if (entry.find('=') != std::string::npos) {
      environment.push_back(entry);
    } else if (const char* value = ::getenv(entry.c_str())) {
      environment.push_back(entry + "=" + value);
    }
  }
  return environment;
}

std::string remote_command_of(const Config& config) {
  const std::string& command = config.text("remote_command");
  const bool is_word = !command.empty() && std::all_of(command.begin(), command.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+~").find(c) != std::string_view::npos;
  });
  if (!is_word) {
    misconfigured(
        "option 'remote_command' is '" + command +
        "': it passes a shell that we do not know, so it may have letters, digits and / . _ - + ~ only");
  }
  return command;
}

// Where the sockets of shared connections are: a folder that is ours alone, with a short name.
std::string control_folder() {
  const std::string folder = "/tmp/hostmesh-ssh-" + std::to_string(::geteuid());
  struct stat about {};
  if ((::mkdir(folder.c_str(), S_IRWXU) != 0 && errno != EEXIST) || ::lstat(folder.c_str(), &about) != 0 ||
      !S_ISDIR(about.st_mode) || about.st_uid != ::geteuid() || (about.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
    misconfigured("option 'multiplex': " + folder + " cannot be made a folder of ours alone");
  }
  return folder;
}

std::vector<std::string> client_of(const Config& config) {
  const std::string& unknown = config.text("unknown_hosts");
  if (unknown != "fail" && unknown != "accept-new")
    misconfigured("option 'unknown_hosts' is '" + unknown + "'; it can be fail or accept-new");
  std::vector<std::string> words{config.text("ssh"), "-T", "-x"};
  if (const std::string& file = config.text("ssh_config"); !file.empty()) {
    words.insert(words.end(), {"-F", file});
  }
  const auto set = [&words](const std::string& option) { words.insert(words.end(), {"-o", option}); };
  // The first word on an option counts: ours first where it is about safety, the user's before all else.
  set("BatchMode=yes");
  set("StrictHostKeyChecking=" + std::string(unknown == "fail" ? "yes" : "accept-new"));
  for (const std::string& option : config.list("ssh_options")) set(option);
  set("ConnectTimeout=" + whole_seconds(config.duration("connect_timeout")));
  set("ConnectionAttempts=1");
  set("ServerAliveInterval=5");
  set("ServerAliveCountMax=2");
  set("ClearAllForwardings=yes");
  set("PermitLocalCommand=no");
  set("RemoteCommand=none");
  set("EscapeChar=none");
  // Its words are what errors are told by.
  set("LogLevel=INFO");
  if (config.boolean("multiplex")) {
    set("ControlMaster=auto");
    set("ControlPath=" + control_folder() + "/%C");
    set("ControlPersist=15");
  } else {
    set("ControlMaster=no");
    set("ControlPath=none");
  }
  return words;
}

std::string random_marker() {
  std::random_device source;
  std::ostringstream text;
  text << "\036hostmesh " << std::hex << source() << source() << source() << source() << "\n";
  return text.str();
}

// What `hostmesh-bootstrap --exec` reads first; docs/protocol.md describes it.
class ExecRequest {
 public:
  void add(char letter, std::string_view text) {
    if (text.find('\0') != std::string_view::npos)
      throw Error(Cause::kInvalidArgument, "a text with a NUL byte cannot be passed on");
    entries_.push_back(static_cast<std::uint8_t>(letter));
    entries_.insert(entries_.end(), text.begin(), text.end());
    entries_.push_back(0);
  }
  std::vector<std::uint8_t> packed(const std::vector<std::uint8_t>& followed_by) const {
    std::vector<std::uint8_t> bytes{'H', 'M', 'X', '1'};
    for (int shift = 0; shift < 32; shift += 8)
      bytes.push_back(static_cast<std::uint8_t>(entries_.size() >> shift));
    bytes.insert(bytes.end(), entries_.begin(), entries_.end());
    bytes.insert(bytes.end(), followed_by.begin(), followed_by.end());
    return bytes;
  }

 private:
  std::vector<std::uint8_t> entries_;
};

bool is_stock_child(const std::vector<std::string>& argv) {
  return !argv.empty() && argv.front().substr(argv.front().rfind('/') + 1) == "hostmesh-bootstrap";
}

class SshLauncher final : public Launcher {
 public:
  static Description describe();
  SshLauncher(const Config& config, const Host& host);

  void launch(const LaunchRequest& request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId id) override { host_.pause_output_local(id); }
  void resume_output(LaunchId id) override { host_.resume_output_local(id); }
  void local_started(LaunchId id) override { connecting_.done(id); }
  LocalVerdict local_ended(LaunchId id, const LocalEnd& end) override;

 private:
  struct Launch {
    Target target;
    Command command;
    unsigned tries = 0;
    bool ended_by_us = false;
  };

  Command command_for(const LaunchRequest& request, const Target& target) const;
  void start(LaunchId id);
  bool forget_waiting(LaunchId id);
  LocalVerdict not_started(LaunchId id, Launch& launch, const LocalEnd& end);
  static LocalVerdict lost(const Launch& launch, const LocalEnd& end);

  const Host host_;
  const Settings settings_;
  std::mutex mutex_;  // never held while connecting_ is called
  std::map<LaunchId, Launch> launches_;
  Connecting connecting_;  // last: its thread uses all of the above
};

Settings settings_of(const Config& config) {
  const std::int64_t retries = config.integer("retries");
  if (retries < 0) misconfigured("option 'retries' is " + std::to_string(retries));
  return {.hosts = hosts_of(config),
          .slots = at_least_one(config, "slots"),
          .working_directory = config.text("working_directory"),
          .environment = environment_of(config),
          .remote_command = remote_command_of(config),
          .client = client_of(config),
          .retries = static_cast<unsigned>(std::min<std::int64_t>(retries, 1000)),
          .limits = {.at_once = at_least_one(config, "parallelism"),
                     .at_once_per_host = at_least_one(config, "parallelism_per_host")}};
}

Description SshLauncher::describe() {
  return {
      .capabilities = {Capability::kOutput, Capability::kLifeline},
      .options =
          {{.key = "hosts",
            .type = OptionType::kStringList,
            .default_value = "",
            .doc = "user@host:port, each part but the host optional; ranges like node[01-16,20]"},
           {.key = "hosts_file", .default_value = "", .doc = "a file with more hosts, some on each line"},
           {.key = "slots",
            .type = OptionType::kInteger,
            .default_value = "1",
            .doc = "how many ranks go to a host before the next one is used"},
           {.key = "working_directory",
            .default_value = "",
            .doc = "on the host; empty: where a login begins"},
           {.key = "environment",
            .type = OptionType::kStringList,
            .default_value = "",
            .doc = "NAME=value, or a NAME whose value here is passed on; besides the login's own"},
           {.key = "remote_command",
            .default_value = "hostmesh-bootstrap",
            .doc = "our program over there: a name in the login's PATH, or a path"},
           {.key = "ssh", .default_value = "ssh", .doc = "the ssh client"},
           {.key = "ssh_config", .default_value = "", .doc = "its configuration; empty: the usual one"},
           {.key = "ssh_options",
            .type = OptionType::kStringList,
            .default_value = "",
            .doc = "further options of the client, as after -o"},
           {.key = "unknown_hosts",
            .default_value = "fail",
            .doc = "a host whose key is not known: fail, or accept-new; a changed key always fails"},
           {.key = "parallelism",
            .type = OptionType::kInteger,
            .default_value = "32",
            .doc = "how many logins may be under way at once"},
           {.key = "parallelism_per_host",
            .type = OptionType::kInteger,
            .default_value = "8",
            .doc = "the same for one host; its daemon turns some away above its MaxStartups, usually 10"},
           {.key = "connect_timeout",
            .type = OptionType::kDuration,
            .default_value = "10s",
            .doc = "how long a host may take to answer"},
           {.key = "retries",
            .type = OptionType::kInteger,
            .default_value = "6",
            .doc = "further tries, with growing pauses, when a host is too busy for another login"},
           {.key = "multiplex",
            .type = OptionType::kBoolean,
            .default_value = "false",
            .doc = "one connection for all launches on a host (ControlMaster)"}},
      .summary = "processes on other machines, started and reached over ssh",
  };
}

SshLauncher::SshLauncher(const Config& config, const Host& host)
    : host_(host),
      settings_(settings_of(config)),
      connecting_(settings_.limits, [this](std::uint64_t id) { start(id); }) {}

Command SshLauncher::command_for(const LaunchRequest& request, const Target& target) const {
  const bool is_child = request.protocol == Protocol::kBootstrap;
  ExecRequest exec;
  Command command{.argv = settings_.client, .stdin_use = request.stdin_use, .node = target.text()};
  command.marker = random_marker();
  exec.add('M', command.marker);
  if (is_child) {
    // The environment that it was given is of this machine. What is ours comes along, the rest is the
    // login's.
    exec.add('I', "");
    for (const std::string& entry : request.environment) {
      const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
      if (!name.starts_with("HOSTMESH_") || name == "HOSTMESH_BOOTSTRAP_ADDR" ||
          name == "HOSTMESH_BOOTSTRAP_MODE")
        continue;
      exec.add('E', entry);
    }
    exec.add('E', "HOSTMESH_BOOTSTRAP_MODE=stdio");
    for (const std::string& entry : settings_.environment) exec.add('E', entry);
    exec.add('D', settings_.working_directory);
    // The stock child of this installation is the one that is installed there.
    if (!is_stock_child(request.argv)) {
      for (const std::string& word : request.argv) exec.add('A', word);
    }
    command.stdout_use = StdoutUse::kChannel;
  } else {
    exec.add('K', "");
    for (const std::string& entry : request.environment) exec.add('E', entry);
    exec.add('D', request.working_directory);
    for (const std::string& word : request.argv) exec.add('A', word);
  }
  command.stdin_payload = exec.packed(request.stdin_payload);
  if (target.port != 0) command.argv.insert(command.argv.end(), {"-p", std::to_string(target.port)});
  if (!target.user.empty()) command.argv.insert(command.argv.end(), {"-l", target.user});
  command.argv.insert(command.argv.end(), {"--", target.host, settings_.remote_command + " --exec"});
  // The client's own: where the agent is, and whose home and known hosts.
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry)
    command.environment.emplace_back(*entry);
  return command;
}

void SshLauncher::launch(const LaunchRequest& request) {
  const std::size_t hosts = settings_.hosts.size();
  if (request.rank / settings_.slots >= hosts) {
    throw Error(Cause::kConfiguration,
                "rank " + std::to_string(request.rank) + " has no place: " + std::to_string(hosts) +
                    (hosts == 1 ? " host" : " hosts") + " with " + std::to_string(settings_.slots) +
                    (settings_.slots == 1 ? " slot" : " slots") + " each; see hosts and slots");
  }
  const Target& target = settings_.hosts[request.rank / settings_.slots];
  Command command = command_for(request, target);
  {
    const std::lock_guard lock(mutex_);
    launches_[request.id] = {.target = target, .command = std::move(command)};
  }
  connecting_.add(request.id, target.text());
}

// On the thread of connecting_.
void SshLauncher::start(LaunchId id) {
  const std::lock_guard lock(mutex_);
  const auto found = launches_.find(id);
  if (found == launches_.end()) return;
  ++found->second.tries;
  try {
    host_.spawn_local(id, found->second.command);
  } catch (const Error& error) {
    host_.failed(id, error.cause(), error.what(), error.os_error());
    launches_.erase(found);
  }
}

// True when it had not begun; then it never will.
bool SshLauncher::forget_waiting(LaunchId id) {
  if (!connecting_.withdraw(id)) return false;
  host_.failed(id, Cause::kCancelled, "it was stopped before its turn to log in had come");
  const std::lock_guard lock(mutex_);
  launches_.erase(id);
  return true;
}

// No signal passes an ssh connection. A child of ours is told by the end of its connection, whatever was
// sent; KILL ends the client at once, which over there is the same.
void SshLauncher::signal(LaunchId id, int signal_number) {
  if (forget_waiting(id)) return;
  {
    const std::lock_guard lock(mutex_);
    const auto found = launches_.find(id);
    if (found == launches_.end()) return;
    found->second.ended_by_us = true;
  }
  constexpr int kKill = 9;
  if (signal_number == kKill) return host_.signal_local(id, kKill);
  host_.close_stdin_local(id);
}

void SshLauncher::close_stdin(LaunchId id) {
  host_.close_stdin_local(id);
}

LocalVerdict SshLauncher::local_ended(LaunchId id, const LocalEnd& end) {
  connecting_.done(id);
  std::unique_lock lock(mutex_);
  const auto found = launches_.find(id);
  if (found == launches_.end()) return {};
  if (!end.has_started) {
    const LocalVerdict verdict = not_started(id, found->second, end);
    const Target target = found->second.target;
    const unsigned tries = found->second.tries;
    if (verdict.what != LocalVerdict::What::kTakeBack) launches_.erase(found);
    lock.unlock();
    if (verdict.what == LocalVerdict::What::kTakeBack)
      connecting_.add(id, target.text(), connecting_.pause_before(tries));
    return verdict;
  }
  const Launch launch = std::move(found->second);
  launches_.erase(found);
  return lost(launch, end);
}

LocalVerdict SshLauncher::not_started(LaunchId id, Launch& launch, const LocalEnd& end) {
  const Trouble trouble = hostmesh_ssh::diagnose(
      {.by_signal = end.how == LocalEnd::How::kSignal, .number = end.number, .last_lines = end.last_lines});
  if (launch.ended_by_us) {
    return {.what = LocalVerdict::What::kFail,
            .cause = Cause::kCancelled,
            .text = launch.target.text() + ": it was stopped before the login was through"};
  }
  if (may_pass(trouble) && launch.tries <= settings_.retries) {
    host_.debug("another try follows, launch " + std::to_string(id) + " on " + launch.target.text() + ": " +
                hostmesh_ssh::words(end.last_lines));
    return {.what = LocalVerdict::What::kTakeBack};
  }
  std::string text = launch.target.text() + ": " + std::string(meaning(trouble));
  if (launch.tries > 1) text += " (" + std::to_string(launch.tries) + " tries)";
  const std::string words = hostmesh_ssh::words(end.last_lines);
  text += words.empty() ? "; ssh said nothing and ended with " +
                              std::string(end.how == LocalEnd::How::kSignal ? "signal " : "code ") +
                              std::to_string(end.number)
                        : "; ssh said: " + words;
  if (const auto hint = advice(trouble); !hint.empty()) text += "; " + std::string(hint);
  const bool is_refusal = trouble == Trouble::kLogin || trouble == Trouble::kHostKey;
  const bool is_late = trouble == Trouble::kNoAnswer;
  return {.what = LocalVerdict::What::kFail,
          .cause = is_refusal ? Cause::kAuthentication
                   : is_late  ? Cause::kTimeout
                              : Cause::kSpawnFailed,
          .text = std::move(text)};
}

// After the start the client's code is the remote program's, but for 255, and for its own death.
LocalVerdict SshLauncher::lost(const Launch& launch, const LocalEnd& end) {
  constexpr int kConnectionFailed = 255;
  const bool by_signal = end.how == LocalEnd::How::kSignal;
  if (launch.ended_by_us || (!by_signal && end.number != kConnectionFailed)) return {};
  std::string text = "the connection to " + launch.target.text() + " is lost: ";
  text += by_signal ? "its ssh client was killed by signal " + std::to_string(end.number)
                    : "its ssh client ended with code 255";
  if (const std::string words = hostmesh_ssh::words(end.last_lines); !words.empty())
    text += "; the last that was heard: " + words;
  return {.what = LocalVerdict::What::kFail, .cause = Cause::kPeerGone, .text = std::move(text)};
}

}  // namespace

HOSTMESH_PLUGIN(SshLauncher, "ssh", "1.0.0")
