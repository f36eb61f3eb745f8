#include "commands.hpp"

#include <unistd.h>

#include <random>
#include <sstream>
#include <string_view>

#include "exec_words.hpp"

namespace hostmesh_ssh {

using namespace hostmesh::plugin;

namespace {

std::string random_digits() {
  std::random_device source;
  std::ostringstream text;
  text << std::hex << source() << source() << source() << source();
  return text.str();
}

std::string random_marker() {
  return "\036hostmesh " + random_digits() + "\n";
}

bool is_stock_child(const std::vector<std::string>& argv) {
  return !argv.empty() && argv.front().substr(argv.front().rfind('/') + 1) == "hostmesh-bootstrap";
}

// What is ours, and how it reaches us.
void add_environment(ExecWords& exec, const LaunchRequest& request, const Place& place, bool is_direct) {
  for (const std::string& entry : request.environment) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    // What is said of this machine holds for this machine.
    if (!name.starts_with("HOSTMESH_") || name == "HOSTMESH_TCP_BIND" || name == "HOSTMESH_TCP_ADVERTISE")
      continue;
    if (name == "HOSTMESH_BOOTSTRAP_ADDR" && is_direct) {
      const std::string_view address = std::string_view(entry).substr(name.size() + 1);
      if (!address.starts_with("tcp:"))
        throw Error(Cause::kConfiguration, "option 'connection' is tcp, and this hostmesh has no tcp for it");
      exec.add('R', address);
      exec.add('T', "");
    } else if (!is_direct && (name == "HOSTMESH_BOOTSTRAP_ADDR" || name == "HOSTMESH_BOOTSTRAP_MODE")) {
      continue;
    }
    exec.add('E', entry);
  }
  if (!is_direct) exec.add('E', "HOSTMESH_BOOTSTRAP_MODE=stdio");
  std::string names;
  for (const std::string& entry : place.environment) {
    names += (names.empty() ? "" : ",") + entry.substr(0, entry.find('='));
    exec.add('E', entry);
  }
  // Not only the host is meant, but what runs there.
  if (!names.empty()) exec.add('E', "HOSTMESH_HOST_VARIABLES=" + names);
  if (!place.working_directory.empty()) exec.add('E', "HOSTMESH_HOST_FOLDER=own");
}

// The end of the client's words but for the one that passes the remote shell, and the environment that it
// runs in.
void add_way(Command& command, const Target& target) {
  if (target.port != 0) command.argv.insert(command.argv.end(), {"-p", std::to_string(target.port)});
  if (!target.user.empty()) command.argv.insert(command.argv.end(), {"-l", target.user});
  command.argv.insert(command.argv.end(), {"--", target.host});
  // The client's own: where the agent is, and whose home and known hosts. What is not of the form NAME=value,
  // and may be there all the same, no program could be started with.
  for (char** entry = ::environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::size_t equals = std::string_view(*entry).find('=');
    if (equals != 0 && equals != std::string_view::npos) command.environment.emplace_back(*entry);
  }
  // A client of its own that leads over a jump host has no BatchMode from us; nobody is there to answer it.
  command.environment.insert(command.environment.end(),
                             {"SSH_ASKPASS=/bin/false", "SSH_ASKPASS_REQUIRE=force"});
}

}  // namespace

Command launch_command(const LaunchRequest& request, const Place& place, bool is_direct,
                       const std::string& version) {
  const bool is_child = request.protocol == Protocol::kBootstrap;
  ExecWords exec;
  Command command{.stdin_use = request.stdin_use, .node = place.target.text()};
  command.marker = random_marker();
  exec.add('V', version);
  exec.add('M', command.marker);
  if (is_child) {
    // The environment that it was given is of this machine. What is ours comes along, the rest is the
    // login's.
    exec.add('I', "");
    add_environment(exec, request, place, is_direct);
    exec.add('D', place.working_directory);
    // The stock child of this installation is the one that is installed there.
    if (!is_stock_child(request.argv)) {
      for (const std::string& word : request.argv) exec.add('A', word);
    }
    if (!is_direct) command.stdout_use = StdoutUse::kChannel;
  } else {
    exec.add('K', "");
    for (const std::string& entry : request.environment) exec.add('E', entry);
    exec.add('D', request.working_directory);
    for (const std::string& word : request.argv) exec.add('A', word);
  }
  command.stdin_payload = exec.packed(request.stdin_payload);
  add_way(command, place.target);
  return command;
}

// The client reads the file itself: there is no need for it in our memory, once for each host.
Command copying_command(const Client& client, const Copy& copy, const Place& place) {
  Command command{.argv = {"/bin/sh", "-c", "exec \"$@\" <\"$0\"", copy.file},
                  .stdin_use = StdinUse::kPayloadThenEof,
                  .node = place.target.text(),
                  // It never comes: what begins here is not the launch.
                  .marker = random_marker()};
  const std::vector<std::string> words = client.words();
  command.argv.insert(command.argv.end(), words.begin(), words.end());
  add_way(command, place.target);
  command.argv.push_back(copy_command(copy, place.push_folder, random_digits()));
  return command;
}

}  // namespace hostmesh_ssh
