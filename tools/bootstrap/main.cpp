// hostmesh-bootstrap: the stock child. It takes no actors of its own; what runs on it is what hosts need.
#include <cstdio>

#include "hostmesh/mesh/child_main.hpp"

int main() {
  hostmesh::bootstrap_if_child();
  std::fputs("hostmesh-bootstrap is started by hostmesh on each host; it does nothing by hand.\n", stderr);
  return 2;
}
