#include <gtest/gtest.h>

#include <thread>

#include "mesh/actors.hpp"

int main(int argc, char** argv) {
  hostmesh::bootstrap_if_child(hostmesh::test::test_actors());
  // With its first thread a program gets those of a sanitizer, which are nobody's to count.
  std::thread([] {}).join();
  ::testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
