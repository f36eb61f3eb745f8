// hostmesh-bootstrap: the stock child. It takes no actors of its own; what runs on it is what hosts need.
#include <sys/mman.h>

#include <cstdint>
#include <cstdio>
#include <string_view>

#include "hostmesh/bootstrap/exec_request.hpp"
#include "hostmesh/mesh/child_main.hpp"
#include "hostmesh/process/fork_server.hpp"

// Where this program begins in memory, and where its code ends; from the linker.
extern "C" const char __executable_start, etext;

namespace {

// One call for all of the code, small as it is, instead of a page fault in every place that a child comes by.
// A fork does not inherit this. Nothing is lost where the kernel (before 5.14) does not know it.
void map_code() {
  constexpr std::uintptr_t kPage = 4096;
  const auto begin = reinterpret_cast<std::uintptr_t>(&__executable_start) & ~(kPage - 1);
  const auto end = reinterpret_cast<std::uintptr_t>(&etext);
  ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_POPULATE_READ);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == hostmesh::bootstrap::kExecOption) {
    hostmesh::bootstrap::exec_as_requested();
  }
  hostmesh::serve_forks_if_asked();
  map_code();
  hostmesh::bootstrap_if_child();
  std::fputs("hostmesh-bootstrap is started by hostmesh on each host; it does nothing by hand.\n", stderr);
  return 2;
}
