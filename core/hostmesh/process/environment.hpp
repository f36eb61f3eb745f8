// The environment of this process, as far as it may be passed on.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

struct Environment {
  std::vector<std::string> variables;  // "NAME=value"
  std::vector<std::string> left_out;   // for each entry that is none, where it stood and how it begins
};

// Of `entries`, a null-terminated array such as ::environ, or null. An entry without '=' or without a name
// may be inherited (programs write over their environment, and execve takes anything), but nobody can ask for
// it, and spawn() refuses it from whoever makes one up.
Environment environment_of(const char* const* entries);

// Which variables of the client the commands and procs of a mesh get.
struct Export {
  // kUsual: all of them, but to another machine none that stays_here(). kAll: all of them. kNone, kNamed:
  // none, or those that are named. Unless it is all of them, a host adds its own of that kind: see
  // add_hosts_own().
  enum class Kind : std::uint8_t { kUsual, kAll, kNone, kNamed } kind = Kind::kUsual;
  std::vector<std::string> names{};  // kNamed: NAME, or NAME=value

  // "all", "none" or names with commas between them. kInvalidArgument for a name that cannot be.
  static Result<Export> parse(std::string_view text);
};

// True when the variable of that name tells of a place or a session of this machine, or holds a secret: what
// is wrong on another machine, or not its business. docs/command-line.md lists them.
bool stays_here(std::string_view name);

struct Exported {
  std::vector<std::string> variables;
  bool takes_hosts_own = false;  // a host is to add its own with add_hosts_own()
};
// Pure.
Exported exported(const std::vector<std::string>& variables, const Export& which, bool to_another_machine);
// Adds those of `own` that a login gives to every program (PATH, LANG, ...) or that name a place or a
// session, where `variables` has none of that name. Pure.
void add_hosts_own(std::vector<std::string>& variables, const std::vector<std::string>& own);

// This process's variables. Any thread, as long as nothing changes the environment. The first call logs a
// warning for each entry that is left out; of its text, which may be a secret, the first letters only.
std::vector<std::string> inherited_environment();

}  // namespace hostmesh
