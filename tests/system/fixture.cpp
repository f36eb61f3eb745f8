#include "system/fixture.hpp"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <fstream>
#include <random>
#include <sstream>

namespace hostmesh::test {

namespace {

// What is promised to be gone by then.
#if defined(__SANITIZE_THREAD__)
constexpr std::chrono::seconds kLastMoment(20);  // everything is many times slower
#else
constexpr std::chrono::seconds kLastMoment(1);
#endif

std::size_t entries(const char* folder) {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder)) ++count;
  return count;
}

std::string random_mark() {
  std::random_device source;
  std::string digits;
  for (int i = 0; i < 18; ++i) digits += static_cast<char>('0' + source() % 10);
  return digits;
}

}  // namespace

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

std::vector<std::string> sorted_lines_of(const std::string& text) {
  std::vector<std::string> lines = lines_of(text);
  std::sort(lines.begin(), lines.end());
  return lines;
}

SystemTest::SystemTest()
    : mark_(random_mark()),
      folder_(std::filesystem::temp_directory_path() / ("hostmesh_system_" + mark_)),
      descriptors_before_(entries("/proc/self/fd")),
      threads_before_(entries("/proc/self/task")) {
  std::filesystem::create_directory(folder_);
  set_environment("HOSTMESH_TEST_MARK", mark_);
  // The leak checker ends a program that is killed or limited with a status of its own.
  set_environment("ASAN_OPTIONS", "detect_leaks=0");
  write_file(
      "plugins.yaml",
      "plugin_path: [" + (bin("..") / "lib/hostmesh/plugins").lexically_normal().string() +
          "]\ndefault: process\nallocators:\n  process: {plugin: process}\n  other: {plugin: process}\n"
          "  forks: {plugin: process, options: {start: fork-server}}\n  local: {plugin: local}\n");
}

SystemTest::~SystemTest() {
  expect_nothing_left();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
  EXPECT_EQ(entries("/proc/self/fd"), descriptors_before_) << "descriptors were left open";
  EXPECT_EQ(entries("/proc/self/task"), threads_before_) << "threads were left running";
}

pid_t SystemTest::client_of(const Running& hostmesh) {
  const std::string keeper = std::to_string(hostmesh.pid());
  const std::string children = "/proc/" + keeper + "/task/" + keeper + "/children";
  pid_t client = 0;
  EXPECT_TRUE(becomes_true([&] {
    std::ifstream in(children);
    std::error_code failure;
    return static_cast<bool>(in >> client) &&
           std::filesystem::read_symlink("/proc/" + std::to_string(client) + "/exe", failure).filename() ==
               "client";
  })) << "hostmesh has no client";
  return client;
}

void SystemTest::expect_nothing_left() {
  const std::vector<pid_t> left = survivors(mark_, kLastMoment);
  for (const pid_t pid : left) {
    ADD_FAILURE() << "left behind: pid " << pid << ": " << command_line_of(pid);
    ::kill(pid, SIGKILL);
  }
}

std::filesystem::path SystemTest::write_file(const std::string& name, const std::string& text) const {
  const std::filesystem::path file = folder_ / name;
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

std::filesystem::path SystemTest::bin(const std::string& program) {
  const char* folder = std::getenv("HOSTMESH_TEST_BINDIR");
  return std::filesystem::path(folder == nullptr ? "." : folder) / program;
}

StartOptions SystemTest::hostmesh(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), bin("hostmesh").string());
  return {.argv = std::move(arguments), .environment = environment_, .working_directory = {}};
}

StartOptions SystemTest::run(std::vector<std::string> options, std::vector<std::string> command) const {
  std::vector<std::string> arguments{"run", "-c", plugins_yaml().string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  arguments.emplace_back("--");
  arguments.insert(arguments.end(), command.begin(), command.end());
  return hostmesh(std::move(arguments));
}

StartOptions SystemTest::run_script(std::vector<std::string> options, const std::string& script) const {
  return run(std::move(options), {"sh", "-c", script});
}

std::vector<pid_t> SystemTest::processes_named(const std::string& program) const {
  std::vector<pid_t> found;
  for (const pid_t pid : marked_processes(mark_)) {
    const std::string command = command_line_of(pid);
    const std::string first = command.substr(0, command.find(' '));
    if (first == program || first.ends_with("/" + program)) found.push_back(pid);
  }
  return found;
}

}  // namespace hostmesh::test
