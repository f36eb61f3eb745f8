// The environment of this process, as far as it may be passed on.
#pragma once

#include <string>
#include <vector>

namespace hostmesh {

struct Environment {
  std::vector<std::string> variables;  // "NAME=value"
  std::vector<std::string> left_out;   // for each entry that is none, where it stood and how it begins
};

// Of `entries`, a null-terminated array such as ::environ, or null. An entry without '=' or without a name
// may be inherited (programs write over their environment, and execve takes anything), but nobody can ask for
// it, and spawn() refuses it from whoever makes one up.
Environment environment_of(const char* const* entries);

// This process's variables. Any thread, as long as nothing changes the environment. The first call logs a
// warning for each entry that is left out; of its text, which may be a secret, the first letters only.
std::vector<std::string> inherited_environment();

}  // namespace hostmesh
