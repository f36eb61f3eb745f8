// What a user starts as `hostmesh`: the keeper of a run (process/keeper.hpp) above the command line proper,
// which is libexec/hostmesh/client. `hostmesh keep -- PROGRAM` is the same for a client program of the
// user's. The other commands start nothing that could be left: there it becomes the client.
//
// It is static because every run waits for its start.
#include <sys/auxv.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include "hostmesh/process/keeper.hpp"

namespace {

constexpr int kCannotStart = 3;  // as when a mesh does not come up
constexpr int kUsage = 2;

int fail(const std::string& what) {
  std::fprintf(stderr, "hostmesh: %s\n", what.c_str());
  return kCannotStart;
}

// The client that belongs to this file: their places relative to each other are all that is known.
std::string client_program() {
  char self[PATH_MAX] = {};
  if (::readlink("/proc/self/exe", self, sizeof self - 1) < 0) {
    // Without /proc the name by which it was executed has to do.
    const char* const name = reinterpret_cast<const char*>(::getauxval(AT_EXECFN));
    if (name == nullptr || ::realpath(name, self) == nullptr) return {};
  }
  const std::string_view file(self);
  return std::string(file.substr(0, file.rfind('/'))) + "/../libexec/hostmesh/client";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view command = argc > 1 ? argv[1] : "";
  // The client is told of our death by CONT, which wakes it if it was stopped; it finds its keeper gone.
  int death_signal = SIGCONT;
  std::string file;
  if (command == "keep") {
    argv += 2;
    if (*argv != nullptr && std::string_view(*argv) == "--") ++argv;
    if (*argv == nullptr) {
      std::fputs("hostmesh: usage: hostmesh keep -- PROGRAM [ARG...]\n", stderr);
      return kUsage;
    }
    file = *argv;
    death_signal = SIGTERM;
  } else {
    file = client_program();
    if (file.empty()) return fail(std::string("its own file cannot be found: ") + std::strerror(errno));
    if (command != "run") {
      ::execv(file.c_str(), argv);
      return fail(file + " cannot be started: " + std::strerror(errno));
    }
    ::setenv("HOSTMESH_KEEPER", std::to_string(::getpid()).c_str(), 1);
  }
  hostmesh::Keeper keeper(hostmesh::Keeper::Group::kShared);
  const auto started = keeper.start(file.c_str(), argv, environ, death_signal);
  if (!started) return fail(started.error().text());
  keeper.keep();
}
