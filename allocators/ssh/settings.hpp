// Settings: what the options of an allocator say, checked and ready for use.
//
// A value, made once when the allocator is created. Whatever is wrong throws, and nothing is started.
#pragma once

#include <string>
#include <vector>

#include "client.hpp"
#include "connecting.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "hosts.hpp"

namespace hostmesh_ssh {

// A host, and what holds there.
struct Place {
  Target target;
  std::size_t slots = 1;
  std::string working_directory;
  std::vector<std::string> environment;  // "NAME=value"
  std::string remote_command;
  std::string push_file;    // what is copied there when it lacks it; empty: nothing is
  std::string push_folder;  // empty: the user's cache folder there

  // Launches with the same text find, or make, the same copy.
  std::string copy_place() const { return target.text() + " " + push_folder + " " + push_file; }
};

struct Settings {
  static std::vector<hostmesh::plugin::Option> options();
  static Settings of(const hostmesh::plugin::Config& config);

  // The place of a rank; null when there are not so many.
  const Place* place_of(std::uint64_t rank) const;
  std::uint64_t slots() const;

  std::vector<Place> places;
  Client client;
  bool is_direct = false;  // children reach their owner over tcp instead of ssh
  unsigned retries = 0;
  Connecting::Limits limits;
  std::string sockets;                // of shared connections, how their paths begin; empty: there are none
  std::vector<std::string> warnings;  // what may be a mistake
};

}  // namespace hostmesh_ssh
