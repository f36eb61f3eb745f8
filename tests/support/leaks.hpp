// What a test must not leave behind: descriptors, processes, threads.
#pragma once

#include <gtest/gtest.h>
#include <sys/types.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

#include "hostmesh/process/descendants.hpp"

namespace hostmesh::test {

inline std::size_t entries_in(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

inline std::size_t open_descriptors() {
  return entries_in("/proc/self/fd");
}

// "NAME:\tvalue" lines of /proc/PID/status and their like.
inline std::string field_of(const std::string& text, const std::string& name) {
  const std::size_t at = text.find(name + ":");
  if (at == std::string::npos) return {};
  const std::size_t start = text.find_first_not_of(" \t", at + name.size() + 1);
  return text.substr(start, text.find('\n', start) - start);
}

// Gone, or a zombie that somebody else is slow to reap.
inline bool is_dead(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/status");
  if (!in) return true;
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return text.empty() || field_of(text, "State").starts_with("Z");
}

// "12 (sh) Z", for the message of a failure.
inline std::string describe_process(pid_t pid) {
  std::ifstream in("/proc/" + std::to_string(pid) + "/stat");
  const std::string text(std::istreambuf_iterator<char>(in), {});
  return text.empty() ? std::to_string(pid) + " (gone)" : text.substr(0, text.rfind(')') + 3);
}

// Made before anything that the test makes; check() after all of that is gone.
class LeakCheck {
 public:
  LeakCheck() : descriptors_(open_descriptors()), threads_(threads()) {}

  void check() const {
    EXPECT_EQ(open_descriptors(), descriptors_) << "descriptors were left open";
    for (const Child& child : children_of_this_process()) {
      ADD_FAILURE() << "a process was left behind: " << describe_process(child.pid);
    }
    // The kernel lists a thread for a moment after it was joined, and tells nobody when it no longer does.
    for (int turn = 0; turn < 100'000 && threads() > threads_; ++turn) std::this_thread::yield();
    EXPECT_LE(threads(), threads_) << "threads were left running";
  }

 private:
  static std::size_t threads() { return entries_in("/proc/self/task"); }

  std::size_t descriptors_;
  std::size_t threads_;
};

}  // namespace hostmesh::test
