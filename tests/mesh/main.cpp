#include <gtest/gtest.h>

#include "mesh/actors.hpp"

int main(int argc, char** argv) {
  hostmesh::bootstrap_if_child(hostmesh::test::test_actors());
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
