// bad_child: the payload's children that do not keep to the bootstrap protocol, in the way that BAD_CHILD
// says; as the program GOOD_CHILD, when it is set, in ranks other than BAD_CHILD_RANK.
#include <unistd.h>

#include <cstdlib>
#include <string>

#include "hostmesh/bootstrap/messages.hpp"
#include "payload/child.hpp"

int main() {
  const char* wanted = std::getenv("BAD_CHILD");
  const char* only_rank = std::getenv("BAD_CHILD_RANK");
  std::string mode = wanted == nullptr ? "" : wanted;
  const char* rank = std::getenv(hostmesh::bootstrap::kEnvIndex);
  if (only_rank != nullptr && rank != nullptr && std::string(only_rank) != rank) mode = "";
  if (const char* good = std::getenv("GOOD_CHILD"); mode.empty() && good != nullptr)
    ::execl(good, good, nullptr);
  hostmesh::payload::run_bad_child(mode);
}
