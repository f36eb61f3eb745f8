#include "settings.hpp"

#include <dlfcn.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace hostmesh_ssh {

using namespace hostmesh::plugin;

namespace {

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

std::vector<Target> hosts_of(const Config& config) {
  std::vector<Target> hosts;
  try {
    hosts = hostmesh_ssh::parse_hosts(config.list("hosts"));
    const std::string& file = config.text("hosts_file");
    if (!file.empty()) {
      errno = 0;
      std::ifstream in(file, std::ios::binary);
      if (!in && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        throw std::system_error(errno, std::generic_category(), "option 'hosts_file': " + file);
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

// Beside this plugin's installation: PREFIX/lib/hostmesh/plugins/libssh.so, PREFIX/bin.
std::string installed_program(const std::string& name) {
  Dl_info about{};
  if (::dladdr(reinterpret_cast<const void*>(&installed_program), &about) == 0 || about.dli_fname == nullptr)
    misconfigured("option 'push': it is not known where hostmesh is installed; set push_file");
  std::error_code failure;
  const auto plugin = std::filesystem::canonical(about.dli_fname, failure);
  return (plugin.parent_path().parent_path().parent_path().parent_path() / "bin" / name).string();
}

bool uses_tcp(const Config& config) {
  const std::string& connection = config.text("connection");
  if (connection != "ssh" && connection != "tcp")
    misconfigured("option 'connection' is '" + connection + "'; it can be ssh or tcp");
  return connection == "tcp";
}

std::string push_file_of(const Config& config) {
  if (!config.boolean("push")) return {};
  const std::string& chosen = config.text("push_file");
  // TLS, which the way over tcp needs, is in a program of its own.
  const char* const name = uses_tcp(config) ? "hostmesh-bootstrap-tls" : "hostmesh-bootstrap";
  const std::string file = chosen.empty() ? installed_program(name) : chosen;
  if (::access(file.c_str(), R_OK) != 0)
    misconfigured("option 'push': " + file + " cannot be read: " + std::strerror(errno));
  return file;
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

// Of this process and this instance alone.
std::string own_name() {
  static std::atomic<unsigned> instances = 0;
  return std::to_string(::getpid()) + "-" + std::to_string(++instances);
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
    // Not shared with other allocations: the client that keeps the connection goes with its own.
    set("ControlPath=" + control_folder() + "/" + own_name() + "-%C");
    set("ControlPersist=15");
  } else {
    set("ControlMaster=no");
    set("ControlPath=none");
  }
  return words;
}

}  // namespace

std::vector<Option> Settings::options() {
  return {
      {.key = "hosts",
       .type = OptionType::kStringList,
       .default_value = "",
       .doc = "user@host:port, each part but the host optional; ranges like node[01-16,20]"},
      {.key = "hosts_file", .default_value = "", .doc = "a file with more hosts, some on each line"},
      {.key = "slots",
       .type = OptionType::kInteger,
       .default_value = "1",
       .doc = "how many ranks go to a host before the next one is used"},
      {.key = "working_directory", .default_value = "", .doc = "on the host; empty: where a login begins"},
      {.key = "environment",
       .type = OptionType::kStringList,
       .default_value = "",
       .doc = "NAME=value, or a NAME whose value here is passed on; besides the login's own"},
      {.key = "remote_command",
       .default_value = "hostmesh-bootstrap",
       .doc = "our program over there: a name in the login's PATH, or a path"},
      {.key = "push",
       .type = OptionType::kBoolean,
       .default_value = "false",
       .doc = "copy our program to each host that does not have it, into the user's cache folder there"},
      {.key = "push_file",
       .default_value = "",
       .doc = "what is copied; empty: the hostmesh-bootstrap of this installation"},
      {.key = "connection",
       .default_value = "ssh",
       .doc = "how a host reaches this program: ssh, over ssh's own stdin and stdout; or tcp, directly"},
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
       .doc = "one connection for all launches on a host (ControlMaster)"}};
}

Settings Settings::of(const Config& config) {
  const std::int64_t retries = config.integer("retries");
  if (retries < 0) misconfigured("option 'retries' is " + std::to_string(retries));
  return {.hosts = hosts_of(config),
          .slots = at_least_one(config, "slots"),
          .working_directory = config.text("working_directory"),
          .environment = environment_of(config),
          .remote_command = remote_command_of(config),
          .push_file = push_file_of(config),
          .client = client_of(config),
          .is_direct = uses_tcp(config),
          .retries = static_cast<unsigned>(std::min<std::int64_t>(retries, 1000)),
          .limits = {.at_once = at_least_one(config, "parallelism"),
                     .at_once_per_host = at_least_one(config, "parallelism_per_host")}};
}

}  // namespace hostmesh_ssh
