// The fixture of all system tests: real processes through the real programs, and nothing left behind.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "system/running.hpp"

namespace hostmesh::test {

class SystemTest : public ::testing::Test {
 protected:
  SystemTest();
  // Fails when a process below the test, a descriptor, or a thread is left.
  ~SystemTest() override;

  // What every process below this test carries in its environment; a number, so that it can also be an
  // argument of sleep.
  const std::string& mark() const { return mark_; }
  // A command that outlives every test, and is found by its argument when its environment is gone.
  std::string sleep_marked() const { return "sleep 3600." + mark_; }

  const std::filesystem::path& folder() const { return folder_; }
  std::filesystem::path write_file(const std::string& name, const std::string& text) const;
  std::filesystem::path plugins_yaml() const { return folder_ / "plugins.yaml"; }
  static std::filesystem::path bin(const std::string& program);

  void set_environment(const std::string& name, const std::string& value) { environment_[name] = value; }
  // hostmesh with these arguments; `run` has the test's plugins.yaml.
  StartOptions hostmesh(std::vector<std::string> arguments) const;
  // hostmesh run OPTIONS -- COMMAND
  StartOptions run(std::vector<std::string> options, std::vector<std::string> command) const;
  // The same with sh -c.
  StartOptions run_script(std::vector<std::string> options, const std::string& script) const;

  // The processes of this test whose command line starts with that program: "hostmesh-bootstrap", "sleep".
  std::vector<pid_t> processes_named(const std::string& program) const;
  // The client proper, below the keeper that was started as `hostmesh run`. Waits for it.
  static pid_t client_of(const Running& hostmesh);
  // That nobody is left one second from now; kills who is.
  void expect_nothing_left();

 private:
  std::string mark_;
  std::filesystem::path folder_;
  std::map<std::string, std::string> environment_;
  std::size_t descriptors_before_;
  std::size_t threads_before_;
};

// The whole lines of a text.
std::vector<std::string> lines_of(const std::string& text);
std::vector<std::string> sorted_lines_of(const std::string& text);

}  // namespace hostmesh::test
