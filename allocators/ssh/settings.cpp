#include "settings.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <utility>

#include "hostmesh/base/trusted_file.hpp"
#include "sockets.hpp"

namespace hostmesh_ssh {

using namespace hostmesh::plugin;

namespace {

[[noreturn]] void misconfigured(const std::string& why) {
  throw Error(Cause::kConfiguration, why);
}

// Where the environment does not say another one.
constexpr std::chrono::seconds kHeartbeatTimeout{10};

// ssh counts in whole seconds, and 0 is for ever.
std::chrono::seconds whole_seconds(Duration duration) {
  return std::max(std::chrono::seconds(1), std::chrono::ceil<std::chrono::seconds>(duration));
}

std::size_t at_least_one(const Config& config, std::string_view key) {
  const std::int64_t value = config.integer(key);
  if (value < 1)
    misconfigured("option '" + std::string(key) + "' is " + std::to_string(value) + ": at least 1");
  return static_cast<std::size_t>(value);
}

// Of this machine: "~/x" is in the user's home, as in a shell.
std::string local_path(const std::string& path) {
  if (path != "~" && !path.starts_with("~/")) return path;
  const char* const home = ::getenv("HOME");
  if (home == nullptr || *home == '\0') misconfigured("'" + path + "': HOME is not set");
  return home + path.substr(1);
}

// As it is looked for, in an error's text.
std::string full_path(const std::string& path) {
  std::error_code failure;
  const auto absolute = std::filesystem::absolute(path, failure);
  return failure ? path : absolute.lexically_normal().string();
}

// What these files say, or are, is run here or on the hosts.
std::string trusted_file(std::string_view option, const std::string& path) {
  std::string file = local_path(path);
  if (file.empty()) return file;
  const std::string subject = "option '" + std::string(option) + "': " + full_path(file);
  if (::access(file.c_str(), R_OK) != 0) misconfigured(subject + " cannot be read: " + std::strerror(errno));
  if (const auto distrust = hostmesh::why_not_trusted(file)) {
    misconfigured(subject + " is not used: " + distrust->reason +
                  (distrust->hint.empty() ? "" : "; try: " + distrust->hint));
  }
  return file;
}

std::vector<Target> hosts_of(const Config& config) {
  std::vector<Target> hosts;
  try {
    hosts = hostmesh_ssh::parse_hosts(config.list("hosts"));
    const std::string file = trusted_file("hosts_file", config.text("hosts_file"));
    if (!file.empty()) {
      errno = 0;
      std::ifstream in(file, std::ios::binary);
      if (!in && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        throw std::system_error(errno, std::generic_category(), "option 'hosts_file': " + file);
      std::ostringstream text;
      const bool has_bytes = static_cast<bool>(text << in.rdbuf());
      if (in.bad() || !in.is_open())
        misconfigured("option 'hosts_file': " + full_path(file) + " cannot be read");
      const auto more = hostmesh_ssh::parse_hosts_file(text.str(), file);
      if (!has_bytes || more.empty())
        misconfigured("option 'hosts_file': there is no host in " + full_path(file));
      hosts.insert(hosts.end(), more.begin(), more.end());
    }
  } catch (const std::invalid_argument& wrong) {
    misconfigured(std::string("option 'hosts': ") + wrong.what());
  }
  if (hosts.empty()) misconfigured("no hosts: set the option hosts, or hosts_file");
  return hosts;
}

// NAME=value as it is; a NAME alone is taken from our own environment, where it is set.
std::vector<std::string> environment_of(const std::vector<std::string>& entries) {
  std::vector<std::string> environment;
  for (const std::string& entry : entries) {
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

bool passes_shells(const std::string& text, std::string_view also) {
  return std::all_of(text.begin(), text.end(), [also](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           also.find(c) != std::string_view::npos;
  });
}

std::string remote_command_of(const std::string& command) {
  if (command.empty() || !passes_shells(command, "/._-+~")) {
    misconfigured(
        "option 'remote_command' is '" + command +
        "': it passes a shell that we do not know, so it may have letters, digits and / . _ - + ~ only");
  }
  return command;
}

std::string push_folder_of(const std::string& folder) {
  const bool is_from_root = folder.starts_with('/') || folder.starts_with("~/");
  if (!folder.empty() && (!is_from_root || !passes_shells(folder, "/._-+~$"))) {
    misconfigured("option 'push_folder' is '" + folder +
                  "': it begins with / or ~/, and may have letters, digits and / . _ - + ~ $ only");
  }
  return folder;
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

std::string push_file_of(const Config& config, const std::string& chosen) {
  if (!config.boolean("push")) return {};
  // TLS, which the way over tcp needs, is in a program of its own.
  const char* const name = uses_tcp(config) ? "hostmesh-bootstrap-tls" : "hostmesh-bootstrap";
  return trusted_file("push", chosen.empty() ? installed_program(name) : chosen);
}

Place place_of_host(const Config& config, const Target& host, std::size_t slots) {
  const auto own_or = [&](const std::string& own, std::string_view key) {
    return own.empty() ? config.text(key) : own;
  };
  std::vector<std::string> environment = config.list("environment");
  environment.insert(environment.end(), host.own.environment.begin(), host.own.environment.end());
  return {.target = host,
          .slots = host.own.slots.value_or(slots),
          .working_directory = own_or(host.own.working_directory, "working_directory"),
          .environment = environment_of(environment),
          .remote_command = remote_command_of(own_or(host.own.remote_command, "remote_command")),
          .push_file = push_file_of(config, own_or(host.own.push_file, "push_file")),
          .push_folder = push_folder_of(own_or(host.own.push_folder, "push_folder"))};
}

Client client_of(const Config& config, const std::string& sockets) {
  const std::string& unknown = config.text("unknown_hosts");
  if (unknown != "fail" && unknown != "accept-new")
    misconfigured("option 'unknown_hosts' is '" + unknown + "'; it can be fail or accept-new");
  const Duration connect_timeout = config.duration("connect_timeout");
  const Duration heartbeat = duration_or(::getenv("HOSTMESH_HEARTBEAT_TIMEOUT"), kHeartbeatTimeout);
  return Client({.program = local_path(config.text("ssh")),
                 .config_file = trusted_file("ssh_config", config.text("ssh_config")),
                 .options = config.list("ssh_options"),
                 .strict_host_keys = unknown == "fail" ? "yes" : "accept-new",
                 .connect_timeout = whole_seconds(connect_timeout),
                 .keep_alive = keep_alive_for(connect_timeout, heartbeat),
                 .control_path = sockets.empty() ? "" : sockets + "%C"});
}

}  // namespace

std::vector<Option> Settings::options() {
  return {
      {.key = "hosts",
       .type = OptionType::kStringList,
       .default_value = "",
       .doc = "user@host:port, each part but the host optional, ranges like node[01-16,20], and settings of "
              "a host's own "
              "behind it, like slots=4"},
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
      {.key = "push_folder",
       .default_value = "",
       .doc = "where it is copied to, /x or ~/x, a folder of that user's; empty: the cache folder"},
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
       .doc = "how long a host may take to answer, and a login may pause"},
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
  const std::size_t slots = at_least_one(config, "slots");
  std::vector<Place> places;
  std::vector<std::string> warnings;
  for (const Target& host : hosts_of(config)) {
    places.push_back(place_of_host(config, host, slots));
    if (std::string doubt = doubt_about(host); !doubt.empty()) warnings.push_back(std::move(doubt));
  }
  // Not shared with other allocations: the client that keeps a connection goes with its own.
  const std::string sockets = config.boolean("multiplex") ? Sockets::new_prefix() : "";
  return {.places = std::move(places),
          .client = client_of(config, sockets),
          .is_direct = uses_tcp(config),
          .retries = static_cast<unsigned>(std::min<std::int64_t>(retries, 1000)),
          .limits = {.at_once = at_least_one(config, "parallelism"),
                     .at_once_per_host = at_least_one(config, "parallelism_per_host")},
          .sockets = sockets,
          .warnings = std::move(warnings)};
}

const Place* Settings::place_of(std::uint64_t rank) const {
  for (const Place& place : places) {
    if (rank < place.slots) return &place;
    rank -= place.slots;
  }
  return nullptr;
}

std::uint64_t Settings::slots() const {
  std::uint64_t sum = 0;
  for (const Place& place : places) sum += place.slots;
  return sum;
}

}  // namespace hostmesh_ssh
