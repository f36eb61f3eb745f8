// Network: a handful of machines on this one, so that what happens between machines can be tried for real.
//
// Each Node has a network, process, mount and host name space of its own, a cable to a switch, and an ssh
// daemon with a host key of its own. The switch is in a network of the test's own, where the thread that made
// the Network is from then on, and all that it starts; so nothing of the machine's network is seen or
// touched, and two tests can use the same addresses. No space has a name: when the test ends, however it
// ends, its nodes end with it, and the kernel takes the rest away.
//
// Resources; one Network in a process at a time, made and dropped on the same thread, before it starts
// others.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "hostmesh/base/fd.hpp"
#include "system/running.hpp"

namespace hostmesh::test {

class Node {
 public:
  // Its switch is the network that the caller is in. Throws std::runtime_error with what was said.
  Node(std::size_t number, const std::filesystem::path& folder, const std::filesystem::path& programs);
  // The end of all that runs there.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  const std::string& name() const { return name_; }
  const std::string& address() const { return address_; }
  // Those that run there and whose command line starts with that program; numbers as here, not as there.
  std::vector<pid_t> processes(const std::string& program) const;
  // The first process there, which is its ssh daemon, and those that the daemon has for who is logged in.
  pid_t daemon() const { return daemon_; }
  std::vector<pid_t> sessions() const;

  // The cable. What is sent while it is out is lost.
  void unplug();
  void plug_in();
  // So many of a hundred packets, 1 to 100, get lost on their way here; 100: it is there, and answers
  // nothing.
  void lose(int percent);
  // Every process, as when the machine is suspended: the kernel still acknowledges what comes.
  void freeze();
  void thaw();

 private:
  std::vector<pid_t> all_processes() const;
  void signal_all(int number);

  const std::string name_;
  const std::string address_;
  const std::string cable_;  // its end at the switch
  std::unique_ptr<Running> machine_;
  pid_t daemon_ = 0;
};

class Network {
 public:
  // Why there can be none on this machine; empty when there can.
  static std::string missing();

  // node1, node2, ... `programs` is seen on all nodes under its path here; of other folders that nodes write
  // to, each has its own.
  Network(std::size_t nodes, const std::filesystem::path& programs);
  // The thread goes back to the network that it came from.
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Counted from 0, as ranks are; node1 is the first.
  Node& operator[](std::size_t index) { return *nodes_.at(index); }
  std::size_t size() const { return nodes_.size(); }
  // For ssh: leads to the nodes by their names.
  std::filesystem::path client_config() const { return folder_ / "ssh_config"; }
  // known_hosts; key, which the nodes let in, and stranger, which they do not.
  std::filesystem::path file(const std::string& name) const { return folder_ / name; }
  // So many of a hundred packets, 1 to 100, get lost on their way from any node to here, and as many the
  // other way.
  void lose(int percent);

 private:
  void leave();

  const std::filesystem::path folder_;
  UniqueFd outside_;  // the network that the thread came from
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace hostmesh::test
