// The allocator `ssh`: every launch is on the other end of a connection that the system's ssh client makes.
//
// The client is run as anybody would run it by hand: with the user's own configuration, keys, jump hosts and
// known hosts, and never with a question or an unchecked host key. What passes the remote shell is one fixed
// command, which starts our program with --exec; all else goes over its stdin. A child of the bootstrap
// protocol talks to its owner over that same stdin and stdout, so that no port but ssh's is needed, and the
// end of the connection, however it comes, is the end of everything over there.
//
// With `push` a launch that finds no program has it copied, once for each host, and begins anew:
//
//   start -> (the marker) launched
//         -> absent: copy -> start            its connection makes the copy
//                    wait -> start            another launch's does
#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "commands.hpp"
#include "connecting.hpp"
#include "copies.hpp"
#include "diagnosis.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "pushes.hpp"
#include "settings.hpp"

namespace {

using namespace hostmesh::plugin;
using hostmesh_ssh::Clock;
using hostmesh_ssh::Connecting;
using hostmesh_ssh::Copy;
using hostmesh_ssh::Pushes;
using hostmesh_ssh::Settings;
using hostmesh_ssh::Target;
using hostmesh_ssh::Trouble;

constexpr int kKill = 9;
constexpr int kConnectionFailed = 255;
// So often a launch may find no copy; each time one was made, so somebody takes them away.
constexpr unsigned kMostAbsences = 3;

class SshLauncher final : public Launcher {
 public:
  static Description describe();
  SshLauncher(const Config& config, const Host& host);
  ~SshLauncher() override { is_closing_ = true; }

  void launch(const LaunchRequest& request) override;
  void signal(LaunchId id, int signal_number) override;
  void close_stdin(LaunchId id) override;
  void pause_output(LaunchId id) override { host_.pause_output_local(id); }
  void resume_output(LaunchId id) override { host_.resume_output_local(id); }
  void local_started(LaunchId id) override;
  LocalVerdict local_ended(LaunchId id, const LocalEnd& end) override;

 private:
  using Ids = std::vector<LaunchId>;
  struct Launch {
    Target target;
    Command command;  // without its last word
    bool is_copying = false;
    bool has_started = false;
    bool ended_by_us = false;
    unsigned tries = 0;             // of this login, which may be turned away
    unsigned absences = 0;          // how often it has found no copy
    std::uint64_t copies_made = 0;  // on its host, when it was started
  };
  // What follows from the end of a client. Beginnings are done when the lock is free again.
  struct Outcome {
    struct Begin {
      LaunchId id;
      std::string host;
      unsigned retry = 0;  // counted from 1; there is a pause before it
    };
    LocalVerdict verdict;
    std::vector<Begin> begin;
    Ids fail;  // as this one does
  };

  bool start(LaunchId id);  // false: nothing was started
  Command command_of(Launch& launch) const;
  void read_push_file();
  bool forget_waiting(LaunchId id);

  // With the lock held.
  Outcome not_started(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome copy_ended(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome absent(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome again(LaunchId id, const Launch& launch) const;
  LocalVerdict failure(const Launch& launch, Trouble trouble, const LocalEnd& end) const;
  bool deserves_another_try(LaunchId id, const Launch& launch, Trouble trouble, const LocalEnd& end) const;

  static LocalVerdict lost(const Launch& launch, const LocalEnd& end);

  const Host host_;
  const Settings settings_;
  std::atomic<bool> is_closing_ = false;
  std::mutex mutex_;  // never held while connecting_ is called
  std::map<LaunchId, Launch> launches_;
  Pushes pushes_;
  std::optional<Copy> copy_;
  std::string no_copy_;    // why there will be none
  Ids await_copy_;         // what is to begin when the file has been read
  Connecting connecting_;  // its thread uses all of the above
  std::jthread reading_;   // last: so does this one, and connecting_
};

Description SshLauncher::describe() {
  return {
      .capabilities = {Capability::kOutput, Capability::kLifeline},
      .options = Settings::options(),
      .summary = "processes on other machines, started and reached over ssh",
  };
}

SshLauncher::SshLauncher(const Config& config, const Host& host)
    : host_(host),
      settings_(Settings::of(config)),
      connecting_(settings_.limits, [this](std::uint64_t id) { return start(id); }) {
  if (settings_.is_direct) host_.use_tcp();
  if (!settings_.push_file.empty()) reading_ = std::jthread([this] { read_push_file(); });
}

// Too long for the thread that calls us.
void SshLauncher::read_push_file() {
  std::optional<Copy> copy;
  std::string problem;
  try {
    copy = hostmesh_ssh::read_copy(settings_.push_file, is_closing_);
  } catch (const std::exception& error) {
    problem = std::string("option 'push': ") + error.what();
  }
  if (is_closing_) return;
  Outcome outcome;
  {
    const std::lock_guard lock(mutex_);
    copy_ = copy;
    no_copy_ = problem;
    for (const LaunchId id : std::exchange(await_copy_, {})) {
      const auto found = launches_.find(id);
      if (found == launches_.end()) continue;
      if (copy_) {
        outcome.begin.push_back({.id = id, .host = found->second.target.text()});
      } else {
        outcome.fail.push_back(id);
        launches_.erase(found);
      }
    }
  }
  for (const auto& begin : outcome.begin) connecting_.add(begin.id, begin.host);
  for (const LaunchId id : outcome.fail) host_.failed(id, Cause::kConfiguration, problem);
}

void SshLauncher::launch(const LaunchRequest& request) {
  const std::size_t hosts = settings_.hosts.size();
  if (request.rank / settings_.slots >= hosts) {
    throw Error(Cause::kConfiguration,
                "rank " + std::to_string(request.rank) + " has no place: " + std::to_string(hosts) +
                    (hosts == 1 ? " host" : " hosts") + " with " + std::to_string(settings_.slots) +
                    (settings_.slots == 1 ? " slot" : " slots") + " each; see hosts and slots");
  }
  const Target& target = settings_.hosts[request.rank / settings_.slots];
  Command command = hostmesh_ssh::launch_command(settings_, request, target, host_.version());
  {
    const std::lock_guard lock(mutex_);
    if (!no_copy_.empty()) throw Error(Cause::kConfiguration, no_copy_);
    launches_[request.id] = {.target = target, .command = std::move(command)};
    if (!settings_.push_file.empty() && !copy_) {
      await_copy_.push_back(request.id);
      return;
    }
  }
  connecting_.add(request.id, target.text());
}

// On the thread of connecting_.
bool SshLauncher::start(LaunchId id) {
  const std::lock_guard lock(mutex_);
  const auto found = launches_.find(id);
  if (found == launches_.end()) return false;
  Launch& launch = found->second;
  ++launch.tries;
  try {
    // A signal may have come between two tries.
    if (launch.ended_by_us)
      throw Error(Cause::kCancelled, "it was stopped before its turn to log in had come");
    host_.spawn_local(id, command_of(launch));
    return true;
  } catch (const Error& error) {
    host_.failed(id, error.cause(), error.what(), error.os_error(), launch.target.text());
    launches_.erase(found);
    return false;
  }
}

Command SshLauncher::command_of(Launch& launch) const {
  if (launch.is_copying) return hostmesh_ssh::copying_command(settings_, *copy_, launch.target);
  launch.copies_made = pushes_.made(launch.target.text());
  Command command = launch.command;
  command.argv.push_back(copy_ ? hostmesh_ssh::start_command(*copy_) : settings_.remote_command + " --exec");
  return command;
}

// True when it has no client; then it never will.
bool SshLauncher::forget_waiting(LaunchId id) {
  const bool had_its_turn_coming = connecting_.withdraw(id);
  const std::lock_guard lock(mutex_);
  if (!had_its_turn_coming && std::erase(await_copy_, id) == 0 && !pushes_.withdraw(id)) return false;
  launches_.erase(id);
  host_.failed(id, Cause::kCancelled, "it was stopped before its turn to log in had come");
  return true;
}

void SshLauncher::local_started(LaunchId id) {
  connecting_.done(id);
  const std::lock_guard lock(mutex_);
  if (const auto found = launches_.find(id); found != launches_.end()) found->second.has_started = true;
}

// No signal passes an ssh connection. A child of ours is told by the end of its connection, whatever was
// sent. KILL ends the client at once, which over there is the same. Before the launch has started, while the
// client logs in or copies the program, any signal does that: nobody over there could hear it.
void SshLauncher::signal(LaunchId id, int signal_number) {
  if (forget_waiting(id)) return;
  bool has_started = false;
  {
    const std::lock_guard lock(mutex_);
    const auto found = launches_.find(id);
    if (found == launches_.end()) return;
    found->second.ended_by_us = true;
    has_started = found->second.has_started;
  }
  if (signal_number == kKill || !has_started) return host_.signal_local(id, kKill);
  host_.close_stdin_local(id);
}

void SshLauncher::close_stdin(LaunchId id) {
  host_.close_stdin_local(id);
}

LocalVerdict SshLauncher::local_ended(LaunchId id, const LocalEnd& end) {
  connecting_.done(id);
  Outcome outcome;
  {
    const std::lock_guard lock(mutex_);
    const auto found = launches_.find(id);
    if (found == launches_.end()) return {};
    Launch& launch = found->second;
    if (end.has_started) {
      outcome.verdict = lost(launch, end);
    } else {
      outcome = launch.is_copying ? copy_ended(id, launch, end) : not_started(id, launch, end);
    }
    if (outcome.verdict.what != LocalVerdict::What::kTakeBack) launches_.erase(id);
    for (const LaunchId other : outcome.fail) launches_.erase(other);
  }
  for (const auto& begin : outcome.begin) {
    connecting_.add(begin.id, begin.host,
                    begin.retry == 0 ? Clock::duration() : connecting_.pause_before(begin.retry));
  }
  const LocalVerdict& verdict = outcome.verdict;
  for (const LaunchId other : outcome.fail) host_.failed(other, verdict.cause, verdict.text, 0, verdict.node);
  return verdict;
}

SshLauncher::Outcome SshLauncher::again(LaunchId id, const Launch& launch) const {
  return {.verdict = {.what = LocalVerdict::What::kTakeBack},
          .begin = {{.id = id, .host = launch.target.text()}}};
}

SshLauncher::Outcome SshLauncher::not_started(LaunchId id, Launch& launch, const LocalEnd& end) {
  const Trouble trouble = hostmesh_ssh::diagnose(
      {.by_signal = end.how == LocalEnd::How::kSignal, .number = end.number, .last_lines = end.last_lines});
  if (!launch.ended_by_us && deserves_another_try(id, launch, trouble, end)) {
    Outcome outcome = again(id, launch);
    outcome.begin.front().retry = launch.tries;
    return outcome;
  }
  if (!launch.ended_by_us && trouble == Trouble::kNoCopy) return absent(id, launch, end);
  return {.verdict = failure(launch, trouble, end)};
}

SshLauncher::Outcome SshLauncher::absent(LaunchId id, Launch& launch, const LocalEnd& end) {
  if (++launch.absences > kMostAbsences) return {.verdict = failure(launch, Trouble::kNoCopy, end)};
  launch.tries = 0;
  switch (pushes_.absent(id, launch.target.text(), launch.copies_made)) {
    case Pushes::Next::kCopy:
      launch.is_copying = true;
      return again(id, launch);
    case Pushes::Next::kStart:
      return again(id, launch);
    case Pushes::Next::kWait:
      break;
  }
  return {.verdict = {.what = LocalVerdict::What::kTakeBack}};
}

SshLauncher::Outcome SshLauncher::copy_ended(LaunchId id, Launch& launch, const LocalEnd& end) {
  const std::string host = launch.target.text();
  if (launch.ended_by_us) {
    Outcome outcome{.verdict = failure(launch, Trouble::kOther, end)};
    if (const auto heir = pushes_.abandoned(host)) {
      launches_.at(*heir).is_copying = true;
      outcome.begin.push_back({.id = *heir, .host = host});
    }
    return outcome;
  }
  if (end.how == LocalEnd::How::kCode && end.number == 0) {
    launch.is_copying = false;
    launch.tries = 0;
    Outcome outcome = again(id, launch);
    for (const LaunchId other : pushes_.succeeded(host)) outcome.begin.push_back({.id = other, .host = host});
    host_.debug("our program was copied to " + host);
    return outcome;
  }
  const Trouble trouble = hostmesh_ssh::diagnose(
      {.by_signal = end.how == LocalEnd::How::kSignal, .number = end.number, .last_lines = end.last_lines});
  if (deserves_another_try(id, launch, trouble, end)) {
    Outcome outcome = again(id, launch);
    outcome.begin.front().retry = launch.tries;
    return outcome;
  }
  return {.verdict = failure(launch, trouble, end), .fail = pushes_.failed(host)};
}

bool SshLauncher::deserves_another_try(LaunchId id, const Launch& launch, Trouble trouble,
                                       const LocalEnd& end) const {
  if (!may_pass(trouble) || launch.tries > settings_.retries) return false;
  host_.debug("another try follows, launch " + std::to_string(id) + " on " + launch.target.text() + ": " +
              hostmesh_ssh::words(end.last_lines));
  return true;
}

LocalVerdict SshLauncher::failure(const Launch& launch, Trouble trouble, const LocalEnd& end) const {
  LocalVerdict verdict{.what = LocalVerdict::What::kFail,
                       .cause = Cause::kCancelled,
                       .text = "it was stopped before the login was through",
                       .node = launch.target.text()};
  if (launch.ended_by_us) return verdict;
  const bool is_refusal = trouble == Trouble::kLogin || trouble == Trouble::kHostKey;
  const bool is_late = trouble == Trouble::kNoAnswer;
  verdict.cause = is_refusal ? Cause::kAuthentication : is_late ? Cause::kTimeout : Cause::kSpawnFailed;
  verdict.text = trouble == Trouble::kNoProgram ? "there is no " + settings_.remote_command
                                                : std::string(meaning(trouble));
  if (launch.is_copying) verdict.text = "our program could not be copied there: " + verdict.text;
  if (launch.tries > 1) verdict.text += " (" + std::to_string(launch.tries) + " tries)";
  const std::string words = hostmesh_ssh::words(end.last_lines);
  verdict.text += words.empty() ? "; ssh said nothing and ended with " +
                                      std::string(end.how == LocalEnd::How::kSignal ? "signal " : "code ") +
                                      std::to_string(end.number)
                                : "; ssh said: " + words;
  if (const auto hint = advice(trouble); !hint.empty()) verdict.text += "; " + std::string(hint);
  return verdict;
}

// After the start the client's code is the remote program's, but for 255, and for its own death.
LocalVerdict SshLauncher::lost(const Launch& launch, const LocalEnd& end) {
  const bool by_signal = end.how == LocalEnd::How::kSignal;
  if (launch.ended_by_us || (!by_signal && end.number != kConnectionFailed)) return {};
  std::string text = "the connection to " + launch.target.text() + " is lost: ";
  text += by_signal ? "its ssh client was killed by signal " + std::to_string(end.number)
                    : "its ssh client ended with code 255";
  if (const std::string words = hostmesh_ssh::words(end.last_lines); !words.empty())
    text += "; the last that was heard: " + words;
  return {.what = LocalVerdict::What::kFail, .cause = Cause::kPeerGone, .text = std::move(text)};
}

}  // namespace

HOSTMESH_PLUGIN(SshLauncher, "ssh", "1.0.0")
