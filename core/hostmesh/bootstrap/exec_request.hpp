// What to run, told over stdin: `hostmesh-bootstrap --exec`, the one fixed command that passes a remote
// shell.
//
// Nothing of a request is seen by that shell, so there is nothing to quote, and secrets are in no argument.
// A login may run another shell in our place, which takes its stdin for a script: a profile with `exec zsh`
// does. So a request begins with lines that end such a shell, and the rest of it is one word that no shell
// can execute. On stdin come any number of lines "exit 113", the bytes "HMX2", the number of bytes of the
// entries in eight hexadecimal digits, and the entries in two such digits for each byte. An entry is a
// letter, its text and a zero byte:
//
//   V  the version of hostmesh that has written this; another one than ours, but for its patch number, is an
//      error
//   M  what to write to stdout when the program is about to start, so that its output is told from a greeting
//   D  the working directory; without it the login's own
//   I  (no text) the environment is added to the login's own instead of being all there is
//   E  NAME=value, of the environment
//   R  an address; that nobody can be reached there is an error
//   T  (no text) HOSTMESH_TCP_BIND is where this login came in, unless the environment says another address
//   K  (no text) stay behind as the program's parent, and kill it with its process group when nobody reads
//      stdout any more: for programs that do not watch their stdin themselves
//   A  an argument of the program; without any: this program itself, as a child of the bootstrap protocol
//
// Not a byte more is read: the rest of stdin is the program's.
#pragma once

#include <string>
#include <vector>

#include "hostmesh/base/result.hpp"
#include "hostmesh/base/secret.hpp"

namespace hostmesh::bootstrap {

inline constexpr const char* kExecOption = "--exec";

struct ExecRequest {
  std::string marker;
  std::string working_directory;
  std::string reaches;
  bool binds_where_login_came_in = false;
  bool adds_to_environment = false;
  bool kills_when_unread = false;
  std::vector<std::string> environment;
  std::vector<std::string> argv;
};

// The entries that follow the length; an unknown letter or a text without its end is an error.
Result<ExecRequest> unpack_exec_request(ByteView entries);

// Becomes the program, or its parent, which exits as the program does, with 128+N for signal N. What prevents
// it is said on stderr; the exit code is then 127 where the program is missing and 126 for everything else,
// as with a shell.
[[noreturn]] void exec_as_requested();

}  // namespace hostmesh::bootstrap
