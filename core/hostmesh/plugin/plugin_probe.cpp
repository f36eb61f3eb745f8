#include "hostmesh/plugin/plugin_probe.hpp"

#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "hostmesh/base/log.hpp"
#include "hostmesh/base/text.hpp"
#include "hostmesh/base/trusted_file.hpp"
#include "hostmesh/plugin/detail/probe_protocol.hpp"
#include "hostmesh/plugin/installation.hpp"
#include "hostmesh/plugin/plugins_yaml.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/environment.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh {

namespace {

using detail::ProbeStep;

constexpr std::size_t kLastWords = 500;  // bytes of its stderr that are quoted

bool is_loaded(const std::filesystem::path& file) {
  void* const library = ::dlopen(file.c_str(), RTLD_LAZY | RTLD_NOLOAD);
  if (library != nullptr) ::dlclose(library);  // takes back what the question counted
  return library != nullptr;
}

bool is_installed(const std::filesystem::path& file) {
  std::error_code failure;
  return std::filesystem::equivalent(file.parent_path(), installed_plugin_folder(), failure);
}

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    return os_error(Cause::kResourceLimit, "making a pipe for the probe of a plugin", errno);
  }
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

// Shared with the Cancel, which may outlive the wait.
Result<std::shared_ptr<UniqueFd>> readable_once_requested(const std::shared_ptr<Cancel>& cancel) {
  auto fd = std::make_shared<UniqueFd>();
  if (!cancel) return fd;
  fd->reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!*fd) return os_error(Cause::kResourceLimit, "making an eventfd for the probe of a plugin", errno);
  cancel->on_request([fd] { (void)::eventfd_write(fd->get(), 1); });
  return fd;
}

// One process that tries the plugin out, while this thread waits.
class Probe {
 public:
  Probe(SpawnedProcess process, UniqueFd steps) : process_(std::move(process)), steps_(std::move(steps)) {}

  enum class Outcome { kEnded, kTimeOver, kCancelled };

  // `cancelled` becomes readable when the wait is to end.
  Outcome wait(Deadline deadline, int cancelled) {
    for (;;) {
      std::array<pollfd, 4> watched{
          pollfd{.fd = steps_ ? steps_.get() : -1, .events = POLLIN, .revents = 0},
          pollfd{
              .fd = process_.stderr_pipe ? process_.stderr_pipe.get() : -1, .events = POLLIN, .revents = 0},
          pollfd{.fd = process_.pidfd.get(), .events = POLLIN, .revents = 0},
          pollfd{.fd = cancelled, .events = POLLIN, .revents = 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline.remaining()).count();
      const int ready =
          ::poll(watched.data(), watched.size(), static_cast<int>(std::min<std::int64_t>(left, 1'000'000)));
      if (ready < 0 && errno != EINTR) return Outcome::kEnded;  // no memory for it: what is known must do
      const bool ended = ready > 0 && watched[2].revents != 0;
      if (ended || watched[0].revents != 0) read_steps();
      if (ended || watched[1].revents != 0) read_words();
      if (ended || survived()) return Outcome::kEnded;
      if (ready > 0 && watched[3].revents != 0) return Outcome::kCancelled;
      if (deadline.passed()) return Outcome::kTimeOver;
    }
  }

  bool survived() const { return step_ == ProbeStep::kDone; }

  // What it was doing.
  std::string phase() const {
    switch (step_) {
      case ProbeStep::kEntering:
        return "in its entry point";
      case ProbeStep::kDescribing:
        return "describing itself";
      case ProbeStep::kLoading:
      case ProbeStep::kDone:
        break;
    }
    return "being loaded";
  }

  std::string last_words() const {
    std::string words = words_;
    while (!words.empty() && (words.back() == '\n' || words.back() == ' ')) words.pop_back();
    if (words.empty()) return {};
    // An error is one line, whatever was said.
    std::replace(words.begin(), words.end(), '\n', '|');
    return "; its last words: " + printable(words);
  }

  ExitStatus status() const {
    const auto waited = detail::wait_child(process_.pid, process_.pidfd.get(), detail::Take::kLook);
    return waited.state == detail::Waited::State::kDead ? waited.status
                                                        : ExitStatus::unknown("it could not be waited for");
  }

 private:
  void read_steps() {
    std::array<char, 16> bytes;
    ssize_t got = 0;
    while (steps_ && (got = ::read(steps_.get(), bytes.data(), bytes.size())) > 0) {
      step_ = static_cast<ProbeStep>(bytes[static_cast<std::size_t>(got) - 1]);
    }
    if (got == 0) steps_.reset();
  }
  void read_words() {
    std::array<char, 4096> bytes;
    ssize_t got = 0;
    while (process_.stderr_pipe &&
           (got = ::read(process_.stderr_pipe.get(), bytes.data(), bytes.size())) > 0) {
      words_.append(bytes.data(), static_cast<std::size_t>(got));
      if (words_.size() > kLastWords) words_.erase(0, words_.size() - kLastWords);
    }
    if (got == 0) process_.stderr_pipe.reset();
  }

  SpawnedProcess process_;  // dropped, it is killed with all of its group
  UniqueFd steps_;
  ProbeStep step_ = ProbeStep::kLoading;
  std::string words_;
};

}  // namespace

Result<> probe_plugin(const std::filesystem::path& file, const ProbeOptions& options) {
  if (is_loaded(file) || is_installed(file)) return {};

  const std::filesystem::path program = installation_folder() / "libexec/hostmesh/plugin-probe";
  std::error_code failure;
  if (std::filesystem::exists(program, failure)) {
    if (auto distrust = why_not_trusted(program)) {
      return Error(ErrorInfo{.cause = Cause::kPlugin,
                             .message = "refused: it cannot be tried out, because " + program.string() +
                                        " is not started: " + distrust->reason,
                             .phase = "load",
                             .os_error = distrust->error_number,
                             .hint = std::move(distrust->hint)});
    }
  }
  auto pipe = make_pipe();
  if (!pipe) return pipe.error();
  // Ours alone: it is read together with others.
  ::fcntl(pipe->read.get(), F_SETFL, O_NONBLOCK);
  auto spawned = spawn({.argv = {program.string(), file.string()},
                        .environment = inherited_environment(),
                        .working_directory = {},
                        .stdout_mode = StdioMode::kNull,
                        .parent_death_signal = SIGKILL,
                        .passed = {{pipe->write.get(), detail::kProbeDescriptor}},
                        .restore_nofile = {},
                        .registry = options.registry});
  if (!spawned) {
    log::warning("a plugin is loaded without a trial " + log::field("file", file.string()) + " " +
                 log::field("reason", spawned.error().text()));
    return {};
  }
  pipe->write.reset();
  Probe probe(*std::move(spawned), std::move(pipe->read));
  const auto cancelled = readable_once_requested(options.cancel);
  if (!cancelled) return cancelled.error();
  const auto outcome = probe.wait(Deadline::after(options.timeout), (*cancelled)->get());
  if (probe.survived()) return {};

  const auto error = [&](Cause cause, const std::string& what) {
    return Error(
        ErrorInfo{.cause = cause, .message = "plugin file " + file.string() + " " + what, .phase = "load"});
  };
  switch (outcome) {
    case Probe::Outcome::kCancelled:
      return error(Cause::kCancelled, "not loaded: cancelled while it was tried out");
    case Probe::Outcome::kTimeOver:
      return error(Cause::kPlugin, "refused: " + probe.phase() + " it did not return within " +
                                       to_string(options.timeout) + probe.last_words());
    case Probe::Outcome::kEnded:
      break;
  }
  return error(Cause::kPlugin, "refused: " + probe.phase() + " it ended the process that tried it: " +
                                   probe.status().text() + probe.last_words());
}

}  // namespace hostmesh
