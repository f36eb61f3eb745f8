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
#include <thread>
#include <vector>

#include "commands.hpp"
#include "connecting.hpp"
#include "copies.hpp"
#include "diagnosis.hpp"
#include "hostmesh/plugin/sdk.hpp"
#include "pushes.hpp"
#include "settings.hpp"
#include "sockets.hpp"

namespace {

using namespace hostmesh::plugin;
using hostmesh_ssh::Client;
using hostmesh_ssh::Clock;
using hostmesh_ssh::Connecting;
using hostmesh_ssh::Copy;
using hostmesh_ssh::Diagnosis;
using hostmesh_ssh::Place;
using hostmesh_ssh::Pushes;
using hostmesh_ssh::Settings;
using hostmesh_ssh::Trouble;

constexpr int kKill = 9;
constexpr int kConnectionFailed = 255;
// So often a launch may find no copy; each time one was made, so somebody takes them away.
constexpr unsigned kMostAbsences = 3;

class SshLauncher final : public Launcher {
 public:
  static Description describe();
  SshLauncher(const Config& config, const Host& host);
  ~SshLauncher() override;

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
    const Place* place = nullptr;
    Command command;  // without the client's words, and its last one
    bool is_copying = false;
    bool has_started = false;
    bool ended_by_us = false;
    std::size_t left_out = 0;       // of the client's options, when it was started
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
  void read_push_files();
  bool forget_waiting(LaunchId id);

  // With the lock held.
  Outcome not_started(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome copy_ended(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome absent(LaunchId id, Launch& launch, const LocalEnd& end);
  Outcome again(LaunchId id, const Launch& launch) const;
  LocalVerdict failure(const Launch& launch, const Diagnosis& diagnosis, const LocalEnd& end) const;
  bool deserves_another_try(LaunchId id, const Launch& launch, Trouble trouble, const LocalEnd& end) const;
  // Of what is copied to that place; null as long as it is not known.
  const Copy* copy_for(const Place& place) const;
  bool had_an_unknown_option(const Launch& launch, const LocalEnd& end);

  static Diagnosis diagnosed(const Launch& launch, const LocalEnd& end);
  static LocalVerdict lost(const Launch& launch, const LocalEnd& end);

  const Host host_;
  const Settings settings_;
  std::atomic<bool> is_closing_ = false;
  std::mutex mutex_;  // never held while connecting_ is called
  std::map<LaunchId, Launch> launches_;
  Pushes pushes_;
  Client client_;
  std::map<std::string, Copy> copies_;  // by file
  std::string no_copies_;               // why there will be none
  Ids await_copies_;                    // what is to begin when the files have been read
  Connecting connecting_;               // its thread uses all of the above
  std::jthread reading_;                // last: so does this one, and connecting_
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
      client_(settings_.client),
      connecting_(settings_.limits, [this](std::uint64_t id) { return start(id); }) {
  for (const std::string& warning : settings_.warnings) host_.warning(warning);
  if (settings_.is_direct) host_.use_tcp();
  if (!settings_.places.front().push_file.empty()) reading_ = std::jthread([this] { read_push_files(); });
}

// The clients are killed next, and leave their sockets behind.
SshLauncher::~SshLauncher() {
  is_closing_ = true;
  if (!settings_.sockets.empty()) hostmesh_ssh::Sockets::remove(settings_.sockets);
}

// Too long for the thread that calls us.
void SshLauncher::read_push_files() {
  std::map<std::string, Copy> copies;
  std::string problem;
  try {
    for (const Place& place : settings_.places) {
      if (copies.contains(place.push_file)) continue;
      auto copy = hostmesh_ssh::read_copy(place.push_file, is_closing_);
      if (!copy) return;
      copies[place.push_file] = *std::move(copy);
    }
  } catch (const std::exception& error) {
    problem = std::string("option 'push': ") + error.what();
  }
  if (is_closing_) return;
  Outcome outcome;
  {
    const std::lock_guard lock(mutex_);
    if (problem.empty()) copies_ = std::move(copies);
    no_copies_ = problem;
    for (const LaunchId id : std::exchange(await_copies_, {})) {
      const auto found = launches_.find(id);
      if (found == launches_.end()) continue;
      if (problem.empty()) {
        outcome.begin.push_back({.id = id, .host = found->second.place->target.text()});
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
  const Place* const place = settings_.place_of(request.rank);
  if (place == nullptr) {
    const std::size_t hosts = settings_.places.size();
    const std::uint64_t slots = settings_.slots();
    throw Error(Cause::kConfiguration,
                "rank " + std::to_string(request.rank) + " has no place: " + std::to_string(hosts) +
                    (hosts == 1 ? " host has " : " hosts have ") + std::to_string(slots) +
                    (slots == 1 ? " slot" : " slots") + " in all; see hosts and slots");
  }
  Command command = hostmesh_ssh::launch_command(request, *place, settings_.is_direct, host_.version());
  {
    const std::lock_guard lock(mutex_);
    if (!no_copies_.empty()) throw Error(Cause::kConfiguration, no_copies_);
    launches_[request.id] = {.place = place, .command = std::move(command)};
    if (!place->push_file.empty() && copy_for(*place) == nullptr) {
      await_copies_.push_back(request.id);
      return;
    }
  }
  connecting_.add(request.id, place->target.text());
}

const Copy* SshLauncher::copy_for(const Place& place) const {
  const auto found = copies_.find(place.push_file);
  return found == copies_.end() ? nullptr : &found->second;
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
    host_.failed(id, error.cause(), error.what(), error.os_error(), launch.place->target.text());
    launches_.erase(found);
    return false;
  }
}

Command SshLauncher::command_of(Launch& launch) const {
  launch.left_out = client_.left_out();
  if (launch.is_copying)
    return hostmesh_ssh::copying_command(client_, *copy_for(*launch.place), *launch.place);
  launch.copies_made = pushes_.made(launch.place->copy_place());
  Command command = launch.command;
  const std::vector<std::string> words = client_.words();
  command.argv.insert(command.argv.begin(), words.begin(), words.end());
  const Copy* const copy = copy_for(*launch.place);
  command.argv.push_back(copy != nullptr ? hostmesh_ssh::start_command(*copy, launch.place->push_folder)
                                         : launch.place->remote_command + " --exec");
  return command;
}

// True when it has no client; then it never will.
bool SshLauncher::forget_waiting(LaunchId id) {
  const bool had_its_turn_coming = connecting_.withdraw(id);
  const std::lock_guard lock(mutex_);
  if (!had_its_turn_coming && std::erase(await_copies_, id) == 0 && !pushes_.withdraw(id)) return false;
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
          .begin = {{.id = id, .host = launch.place->target.text()}}};
}

Diagnosis SshLauncher::diagnosed(const Launch& launch, const LocalEnd& end) {
  return hostmesh_ssh::diagnose({.by_signal = end.how == LocalEnd::How::kSignal,
                                 .number = end.number,
                                 .last_lines = end.last_lines,
                                 .command = launch.place->remote_command});
}

// Another launch may have left the option out in the meantime.
bool SshLauncher::had_an_unknown_option(const Launch& launch, const LocalEnd& end) {
  if (launch.ended_by_us || end.how != LocalEnd::How::kCode || end.number != kConnectionFailed) return false;
  if (!client_.leave_out_unknown(end.last_lines))
    return hostmesh_ssh::tells_unknown_option(end.last_lines) && client_.left_out() > launch.left_out;
  host_.debug("the ssh client is older than an option of ours, which is left out: " + end.last_lines);
  return true;
}

SshLauncher::Outcome SshLauncher::not_started(LaunchId id, Launch& launch, const LocalEnd& end) {
  if (had_an_unknown_option(launch, end)) {
    --launch.tries;
    return again(id, launch);
  }
  const Diagnosis diagnosis = diagnosed(launch, end);
  if (!launch.ended_by_us && deserves_another_try(id, launch, diagnosis.trouble, end)) {
    Outcome outcome = again(id, launch);
    outcome.begin.front().retry = launch.tries;
    return outcome;
  }
  if (!launch.ended_by_us && diagnosis.trouble == Trouble::kNoCopy) return absent(id, launch, end);
  return {.verdict = failure(launch, diagnosis, end)};
}

SshLauncher::Outcome SshLauncher::absent(LaunchId id, Launch& launch, const LocalEnd& end) {
  if (++launch.absences > kMostAbsences)
    return {.verdict = failure(launch, {.trouble = Trouble::kNoCopy}, end)};
  launch.tries = 0;
  switch (pushes_.absent(id, launch.place->copy_place(), launch.copies_made)) {
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
  const std::string host = launch.place->target.text();
  const std::string place = launch.place->copy_place();
  if (launch.ended_by_us) {
    Outcome outcome{.verdict = failure(launch, {}, end)};
    if (const auto heir = pushes_.abandoned(place)) {
      launches_.at(*heir).is_copying = true;
      outcome.begin.push_back({.id = *heir, .host = host});
    }
    return outcome;
  }
  if (end.how == LocalEnd::How::kCode && end.number == 0) {
    launch.is_copying = false;
    launch.tries = 0;
    Outcome outcome = again(id, launch);
    for (const LaunchId other : pushes_.succeeded(place))
      outcome.begin.push_back({.id = other, .host = host});
    host_.debug("our program was copied to " + host);
    return outcome;
  }
  if (had_an_unknown_option(launch, end)) {
    --launch.tries;
    return again(id, launch);
  }
  const Diagnosis diagnosis = diagnosed(launch, end);
  if (deserves_another_try(id, launch, diagnosis.trouble, end)) {
    Outcome outcome = again(id, launch);
    outcome.begin.front().retry = launch.tries;
    return outcome;
  }
  return {.verdict = failure(launch, diagnosis, end), .fail = pushes_.failed(place)};
}

bool SshLauncher::deserves_another_try(LaunchId id, const Launch& launch, Trouble trouble,
                                       const LocalEnd& end) const {
  if (!may_pass(trouble) || launch.tries > settings_.retries) return false;
  host_.debug("another try follows, launch " + std::to_string(id) + " on " + launch.place->target.text() +
              ": " + hostmesh_ssh::words(end.last_lines));
  return true;
}

LocalVerdict SshLauncher::failure(const Launch& launch, const Diagnosis& diagnosis,
                                  const LocalEnd& end) const {
  const Trouble trouble = diagnosis.trouble;
  LocalVerdict verdict{.what = LocalVerdict::What::kFail,
                       .cause = Cause::kCancelled,
                       .text = "it was stopped before the login was through",
                       .node = launch.place->target.text()};
  if (launch.ended_by_us) return verdict;
  const bool is_refusal =
      trouble == Trouble::kLogin || trouble == Trouble::kHostKey || trouble == Trouble::kChangedKey;
  const bool is_late = trouble == Trouble::kNoAnswer;
  verdict.cause = is_refusal ? Cause::kAuthentication : is_late ? Cause::kTimeout : Cause::kSpawnFailed;
  verdict.text =
      trouble == Trouble::kNoProgram ? "there is no " + launch.place->remote_command : meaning(diagnosis);
  if (launch.is_copying) verdict.text = "our program could not be copied there: " + verdict.text;
  if (launch.tries > 1) verdict.text += " (" + std::to_string(launch.tries) + " tries)";
  const std::string words = hostmesh_ssh::words(end.last_lines);
  verdict.text += words.empty() ? "; ssh said nothing and ended with " +
                                      std::string(end.how == LocalEnd::How::kSignal ? "signal " : "code ") +
                                      std::to_string(end.number)
                                : "; ssh said: " + words;
  if (const auto hint = advice(diagnosis); !hint.empty()) verdict.text += "; " + std::string(hint);
  return verdict;
}

// After the start the client's code is the remote program's, but for 255, and for its own death.
LocalVerdict SshLauncher::lost(const Launch& launch, const LocalEnd& end) {
  const bool by_signal = end.how == LocalEnd::How::kSignal;
  if (launch.ended_by_us || (!by_signal && end.number != kConnectionFailed)) return {};
  std::string text = "the connection to " + launch.place->target.text() + " is lost: ";
  text += by_signal ? "its ssh client was killed by signal " + std::to_string(end.number)
                    : "its ssh client ended with code 255";
  if (const std::string words = hostmesh_ssh::words(end.last_lines); !words.empty())
    text += "; the last that was heard: " + words;
  return {.what = LocalVerdict::What::kFail, .cause = Cause::kPeerGone, .text = std::move(text)};
}

}  // namespace

HOSTMESH_PLUGIN(SshLauncher, "ssh", "1.0.0")
