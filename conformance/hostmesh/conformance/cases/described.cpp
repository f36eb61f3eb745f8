#include "hostmesh/conformance/cases/described.hpp"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <sstream>

#include "hostmesh/base/fd.hpp"
#include "payload/pattern.hpp"

namespace hostmesh::conformance {

using payload::unescaped;

bool Described::has_environment(const std::string& entry) const {
  return std::find(environment.begin(), environment.end(), entry) != environment.end();
}

namespace {

Described parsed(const std::string& text) {
  Described described;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::string value;
    words >> name;
    if (name == "arg" || name == "env") {
      words >> value;
      (name == "arg" ? described.argv : described.environment).push_back(unescaped(value));
    } else if (name == "fd") {
      int number = -1;
      words >> number >> value;
      described.descriptors[number] = unescaped(value);
    } else if (name == "has") {
      std::string which;
      words >> which >> value;
      described.attributes[unescaped(which)] = unescaped(value);
    } else {
      words >> value;
      described.facts[name] = unescaped(value);
    }
  }
  return described;
}

bool is_whole(const std::string& text) {
  constexpr std::string_view kEnd = "end\n";
  return text.size() >= kEnd.size() && text.compare(text.size() - kEnd.size(), kEnd.size(), kEnd) == 0;
}

std::vector<char*> pointers(std::vector<std::string>& words) {
  std::vector<char*> list;
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace

Described describe(Stage& stage, Probe& probe, LaunchRequest request) {
  const LaunchId launch = probe.launch(std::move(request));
  const Seen seen = probe.await_end(launch);
  if (seen.status != ExitStatus::exited(0) || !is_whole(seen.out)) {
    stage.fail("the payload describes what it was handed down",
               seen.text() + ", after " + std::to_string(seen.out.size()) + " bytes of it");
  }
  return parsed(seen.out);
}

Described describe_plain_child(Stage& stage, const LaunchRequest& request) {
  std::vector<std::string> argv = request.argv;
  std::vector<std::string> environment = request.environment;
  const std::vector<char*> argv_pointers = pointers(argv);
  const std::vector<char*> environment_pointers = pointers(environment);
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw os_error(Cause::kIo, "make a pipe", errno);
  const UniqueFd out(ends[0]);
  UniqueFd in(ends[1]);
  const pid_t pid = ::fork();
  if (pid < 0) throw os_error(Cause::kSpawnFailed, "make a process", errno);
  if (pid == 0) {
    ::dup2(in.get(), STDOUT_FILENO);
    ::execve(argv_pointers.front(), argv_pointers.data(), environment_pointers.data());
    ::_exit(127);
  }
  in.reset();
  std::string text;
  char piece[8192];
  for (ssize_t got = 0; (got = ::read(out.get(), piece, sizeof(piece))) > 0 || (got < 0 && errno == EINTR);) {
    if (got > 0) text.append(piece, static_cast<std::size_t>(got));
  }
  ::waitpid(pid, nullptr, 0);
  if (!is_whole(text)) stage.fail("the payload can be executed", "it said: " + text);
  return parsed(text);
}

}  // namespace hostmesh::conformance
