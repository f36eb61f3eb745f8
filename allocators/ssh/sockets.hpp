// Sockets: the files that shared connections are found by. The ssh client that keeps a connection makes its
// file, and leaves it behind when it is killed, as at the end of a run.
#pragma once

#include <string>

namespace hostmesh_ssh {

class Sockets {
 public:
  // How the paths of an instance begin: in a folder that is this user's alone, with a name that no other
  // instance has. Throws hostmesh::plugin::Error when there can be no such folder. Removes what processes
  // that are gone have left behind.
  static std::string new_prefix();
  // Removes those that begin so.
  static void remove(const std::string& prefix);
};

}  // namespace hostmesh_ssh
