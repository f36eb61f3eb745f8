#include "steps.hpp"

#include <sys/ioctl.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>

namespace faulty {

namespace {

std::string this_node() {
  char name[256] = {};
  ::gethostname(name, sizeof(name) - 1);
  return name;
}

void read_what_is_there(Steps& steps, const Host& host, LaunchId id, const Descriptor& from, Stream stream) {
  int size = 0;
  if (!from || ::ioctl(from.get(), FIONREAD, &size) != 0) return;
  std::vector<std::uint8_t> bytes(static_cast<std::size_t>(size));
  const ssize_t got = ::read(from.get(), bytes.data(), bytes.size());
  if (got > 0) steps.tell_output(host, id, stream, {bytes.data(), static_cast<std::size_t>(got)});
}

}  // namespace

Description Steps::describe() {
  return {.capabilities = {Capability::kSignal, Capability::kSameMachine, Capability::kOutput,
                           Capability::kExitStatus, Capability::kLifeline},
          .options = {},
          .summary = "children of this process, through fork and pipes"};
}

void Steps::tell_launched(const Host& host, LaunchId id, pid_t pid) {
  host.launched(id, pid, this_node());
}

void Steps::tell_failed(const Host& host, LaunchId id, const std::string& why, int os_error) {
  host.failed(id, hostmesh::plugin::Cause::kSpawnFailed, why, os_error);
}

void Steps::tell_output(const Host& host, LaunchId id, Stream stream, std::span<const std::uint8_t> bytes) {
  host.output(id, stream, bytes);
}

void Steps::tell_end(const Host& host, LaunchId id, const End& end) {
  if (end.by_signal) {
    host.killed(id, end.value, end.core_dumped);
  } else {
    host.exited(id, end.value);
  }
}

void Steps::send_signal(Children& children, LaunchId id, int number) {
  ::kill(-children.at(id).pid, number);
}

void Steps::payload_written(Child& child) {
  if (child.stdin_use == StdinUse::kPayloadThenEof) child.in.reset();
}

void Steps::close_stdin(Child& child) {
  child.in.reset();
  child.unwritten.clear();
}

void Steps::read_the_rest(const Host& host, LaunchId id, Child& child) {
  read_what_is_there(*this, host, id, child.out, Stream::kStdout);
  read_what_is_there(*this, host, id, child.err, Stream::kStderr);
}

void Steps::reap(Child& child) {
  ::waitpid(child.pid, nullptr, 0);
}

void Steps::kill_all(Children& children) {
  for (const auto& [id, child] : children) ::kill(-child.pid, SIGKILL);
  for (const auto& [id, child] : children) ::waitpid(child.pid, nullptr, 0);
}

}  // namespace faulty
