// What every test with real processes promises: afterwards there are as many descriptors and threads as before, and no
// child, be it an adopted orphan or a zombie.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "hostmesh/process/descendants.hpp"

namespace hostmesh::test {

inline std::size_t entries_of(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

// "12 (sh) Z", for the message of a failure.
inline std::string describe_process(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return text.empty() ? std::to_string(pid) + " (gone)" : text.substr(0, text.rfind(')') + 3);
}

// Made before everything that is checked. check() comes when all of it has been destroyed.
class NothingLeft {
 public:
  void check() const {
    EXPECT_EQ(entries_of("/proc/self/fd"), descriptors_) << "descriptors were left open";
    EXPECT_EQ(entries_of("/proc/self/task"), threads_) << "threads were left running";
    for (const Child& child : children_of_this_process()) {
      ADD_FAILURE() << "a process was left behind: " << describe_process(child.pid);
    }
  }

 private:
  std::size_t descriptors_ = entries_of("/proc/self/fd");
  std::size_t threads_ = entries_of("/proc/self/task");
};

}  // namespace hostmesh::test
