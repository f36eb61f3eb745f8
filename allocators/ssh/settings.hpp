// Settings: what the options of an allocator say, checked and ready for use.
//
// A value, made once when the allocator is created. Whatever is wrong throws, and nothing is started.
#pragma once

#include <string>
#include <vector>

#include "connecting.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "hosts.hpp"

namespace hostmesh_ssh {

struct Settings {
  static std::vector<hostmesh::plugin::Option> options();
  static Settings of(const hostmesh::plugin::Config& config);

  std::vector<Target> hosts;
  std::size_t slots = 1;
  std::string working_directory;
  std::vector<std::string> environment;  // "NAME=value"
  std::string remote_command;
  std::string push_file;            // what is copied to hosts that lack it; empty: nothing is
  std::vector<std::string> client;  // ssh and its options, up to the host
  bool is_direct = false;           // children reach their owner over tcp instead of ssh
  unsigned retries = 0;
  Connecting::Limits limits;
};

}  // namespace hostmesh_ssh
