// hostmesh-bootstrap: the stock child. It takes no actors of its own; what runs on it is what hosts need.
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>
#include <string_view>
#include <system_error>

#include "hostmesh/base/trusted_file.hpp"
#include "hostmesh/bootstrap/exec_request.hpp"
#include "hostmesh/mesh/child_main.hpp"
#include "hostmesh/process/fork_server.hpp"
#include "pages.hpp"

namespace {

#ifdef HOSTMESH_WITHOUT_TLS
// Whether an address needs TLS is for the configuration to say, which is still to be read; so any tcp will
// do. Nothing has been read or opened, and the other program finds all as it was.
void become_tls_child_if_needed(char** arguments) {
  const char* const owner = std::getenv("HOSTMESH_BOOTSTRAP_ADDR");
  if (owner == nullptr || !std::string_view(owner).starts_with("tcp")) return;
  std::error_code failure;
  const std::string sibling = std::filesystem::read_symlink("/proc/self/exe", failure).string() + "-tls";
  std::string reason = std::strerror(failure.value());
  if (!failure) {
    const auto distrust = hostmesh::why_not_trusted(sibling);
    if (!distrust) ::execv(sibling.c_str(), arguments);
    reason = distrust ? distrust->reason : std::strerror(errno);
  }
  std::fprintf(stderr, "%s may require TLS, and %s cannot be started for it: %s; going on without\n", owner,
               sibling.c_str(), reason.c_str());
}
#endif

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == hostmesh::bootstrap::kExecOption) {
    hostmesh::bootstrap::exec_as_requested();
  }
  hostmesh::serve_forks_if_asked(
      {.in_child = hostmesh::map_forked_pages, .in_server = hostmesh::map_server_pages});
#ifdef HOSTMESH_WITHOUT_TLS
  become_tls_child_if_needed(argv);
#endif
  hostmesh::map_pages();
  hostmesh::bootstrap_if_child();
  std::fputs("hostmesh-bootstrap is started by hostmesh on each host; it does nothing by hand.\n", stderr);
  return 2;
}
