#include "hostmesh/conformance/driver.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/conformance/interrupt.hpp"
#include "hostmesh/conformance/stage.hpp"
#include "hostmesh/conformance/worker.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/local_launcher.hpp"
#include "hostmesh/process/sweep.hpp"

extern char** environ;

namespace hostmesh::conformance {

namespace {

constexpr std::size_t kMostEvents = 1000;
constexpr std::size_t kMostStderr = 64 * 1024;
constexpr std::size_t kLastLines = 20;
constexpr Duration kSweepTime = std::chrono::seconds(5);

// Of a case's process that has ended without a verdict: its last words are all that there is.
bool tells_of_exhaustion(const std::string& text) {
  for (const int number : {EAGAIN, EMFILE, ENFILE, ENOMEM}) {
    if (text.find(std::strerror(number)) != std::string::npos) return true;
  }
  return text.find("std::bad_alloc") != std::string::npos;
}

std::vector<std::string> last_lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    lines.push_back(printable(text.substr(at, end - at)));
    at = end + 1;
  }
  if (lines.size() > kLastLines) lines.erase(lines.begin(), lines.end() - kLastLines);
  return lines;
}

// All of it on the reactor, which is the thread that called run_cases().
class Driver {
 public:
  explicit Driver(const DriverOptions& options) : options_(options) {
    report_.outcomes.resize(options.cases.size());
    for (std::size_t i = 0; i < options.cases.size(); ++i) report_.outcomes[i].which = options.cases[i];
    state_.resize(options.cases.size(), State::kWaiting);
  }

  Report run() {
    const TimePoint start = Clock::now();
    static_cast<void>(become_subreaper());
    const Interrupt interrupt(
        [this](int number) { reactor_.post([this, number] { on_interrupt(number); }); });
    launch_thread_.emplace();
    launcher_ = std::make_unique<LocalLauncher>(
        reactor_, *launch_thread_, LocalLauncher::Options{.registry = registry_},
        ChildLauncher::Events{
            .on_launched = nullptr,
            .on_output = [this](LaunchId id, OutputStream stream,
                                ByteView bytes) { on_output(id, stream, bytes); },
            .on_exited = [this](LaunchId id, const ExitStatus& status) { on_ended(id, status.text()); },
            .on_failed = [this](LaunchId id, const Error& error) { on_no_process(id, error); }});
    reactor_.post([this] { start_some(); });
    reactor_.run();
    sweep_.reset();
    launcher_.reset();
    launch_thread_.reset();
    report_.took = Clock::now() - start;
    return std::move(report_);
  }

 private:
  enum class State : std::uint8_t { kWaiting, kRunning, kDone };
  struct Worker {
    explicit Worker(Reactor& reactor) : timer(reactor) {}
    Timer timer;
    TimePoint began = Clock::now();
    std::string unread;  // of its stdout, without a newline yet
    std::string stderr_text;
    bool told = false;  // its verdict is there
    bool out_of_time = false;
  };

  // Launch i+1 is case i.
  static LaunchId launch_of(std::size_t index) { return index + 1; }
  static std::size_t case_of(LaunchId id) { return id - 1; }

  // What the processes of the cases have started is left to the sweep at the end.
  void on_interrupt(int number) {
    if (std::exchange(report_.interrupted, number) != 0) return;
    for (const auto& [index, worker] : workers_) launcher_->signal(launch_of(index), SIGKILL);
    if (workers_.empty()) finish();
  }

  void start_some() {
    if (report_.interrupted != 0) {
      if (workers_.empty()) finish();
      return;
    }
    bool progress = true;
    while (progress) {
      progress = false;
      for (std::size_t i = 0; i < state_.size() && workers_.size() < options_.jobs; ++i) {
        if (state_[i] == State::kWaiting && may_start(i)) {
          decide(i);
          progress = true;
        }
      }
    }
    const bool all_done =
        std::all_of(state_.begin(), state_.end(), [](State each) { return each == State::kDone; });
    if (all_done && workers_.empty()) finish();
  }

  // The first one says what the plugin is; others wait for what they build on.
  bool may_start(std::size_t index) const {
    if (index > 0 && state_[0] != State::kDone) return false;
    const auto base = base_of(index);
    return !base || state_[*base] == State::kDone;
  }

  std::optional<std::size_t> base_of(std::size_t index) const {
    const std::string_view id = options_.cases[index]->builds_on;
    for (std::size_t i = 0; i < options_.cases.size() && !id.empty(); ++i) {
      if (options_.cases[i]->id == id) return i;
    }
    return std::nullopt;
  }

  void decide(std::size_t index) {
    const Case& each = *options_.cases[index];
    const auto skip = [&](const std::string& why) {
      report_.outcomes[index].verdict = Outcome::Verdict::kSkipped;
      report_.outcomes[index].why = why;
      done(index);
    };
    const auto passed = [&](std::size_t i) {
      return report_.outcomes[i].verdict == Outcome::Verdict::kPassed;
    };
    if (index > 0 && !passed(0))
      return skip(std::string(kNotUsable) + ": " + std::string(options_.cases[0]->id));
    if (index > 0) {
      const std::string why = why_not(each, report_.plugin);
      if (!why.empty()) return skip(why);
    }
    if (const auto base = base_of(index);
        base && report_.outcomes[*base].verdict == Outcome::Verdict::kFailed) {
      return skip(std::string(each.builds_on) + " has failed");
    }
    start(index);
  }

  void start(std::size_t index) {
    const Case& each = *options_.cases[index];
    state_[index] = State::kRunning;
    Worker& worker = *workers_.emplace(index, std::make_unique<Worker>(reactor_)).first->second;
    LaunchRequest request;
    request.argv = options_.argv;
    std::error_code failure;
    request.argv.front() = std::filesystem::read_symlink("/proc/self/exe", failure).string();
    for (char** entry = environ; *entry != nullptr; ++entry) request.environment.emplace_back(*entry);
    request.environment.push_back(std::string(kEnvCase) + "=" + std::string(each.id));
    request.stdin_use = LaunchRequest::Stdin::kPayloadThenEof;
    launcher_->launch(launch_of(index), std::move(request));
    const auto patience = [this](Duration usual) {
      return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(usual) * options_.patience);
    };
    worker.timer.after(patience(each.deadline + kCaseGrace), [this, index, &worker] {
      worker.out_of_time = true;
      launcher_->signal(launch_of(index), SIGKILL);
    });
  }

  void on_output(LaunchId id, OutputStream stream, ByteView bytes) {
    Worker& worker = *workers_.at(case_of(id));
    if (stream == OutputStream::kStderr) {
      worker.stderr_text.append(bytes.begin(), bytes.end());
      if (worker.stderr_text.size() > 2 * kMostStderr) {
        worker.stderr_text.erase(0, worker.stderr_text.size() - kMostStderr);
      }
      return;
    }
    worker.unread.append(bytes.begin(), bytes.end());
    std::size_t at = 0;
    for (std::size_t end = 0; (end = worker.unread.find('\n', at)) != std::string::npos; at = end + 1) {
      on_line(case_of(id), worker, std::string_view(worker.unread).substr(at, end - at));
    }
    worker.unread.erase(0, at);
  }

  void on_line(std::size_t index, Worker& worker, std::string_view line) {
    Outcome& outcome = report_.outcomes[index];
    const WorkerLine kind = read_worker_line(line, outcome, report_.plugin);
    if (kind == WorkerLine::kVerdict) worker.told = true;
    if (outcome.events.size() > kMostEvents) {
      const std::size_t half = kMostEvents / 2;
      outcome.events.erase(outcome.events.begin(), outcome.events.begin() + half);
      outcome.events_dropped += half;
    }
  }

  // The plugin has had no part in that.
  void on_no_process(LaunchId id, const Error& error) {
    Worker& worker = *workers_.at(case_of(id));
    Outcome& outcome = report_.outcomes[case_of(id)];
    outcome.verdict = Outcome::Verdict::kUnusable;
    outcome.why = "no verdict, for the case could not be run: " + error.text();
    worker.told = true;
    on_ended(id, error.text());
  }

  void on_ended(LaunchId id, const std::string& how) {
    const std::size_t index = case_of(id);
    Worker& worker = *workers_.at(index);
    Outcome& outcome = report_.outcomes[index];
    outcome.took = Clock::now() - worker.began;
    if (!worker.told) {
      outcome.verdict = Outcome::Verdict::kFailed;
      outcome.expected = "the case comes to an end";
      outcome.seen = worker.out_of_time ? "its process hung and was killed" : "its process " + how;
      if (!worker.out_of_time && tells_of_exhaustion(worker.stderr_text)) {
        outcome.verdict = Outcome::Verdict::kUnusable;
        outcome.why = "no verdict, for the machine lacks something: the process of " +
                      std::string(outcome.which->id) + " " + how +
                      "; its last words: " + last_lines_of(worker.stderr_text).back();
      }
    }
    if (outcome.verdict == Outcome::Verdict::kFailed) outcome.last_lines = last_lines_of(worker.stderr_text);
    // Not inside an event of this very worker.
    reactor_.post([this, index] {
      workers_.erase(index);
      if (report_.interrupted == 0) {
        done(index);
        sweep();
      }
      start_some();
    });
  }

  void done(std::size_t index) {
    state_[index] = State::kDone;
    if (index == 0 && report_.outcomes[0].verdict == Outcome::Verdict::kPassed && options_.on_plugin) {
      options_.on_plugin(report_.plugin);
    }
    if (options_.on_outcome) options_.on_outcome(report_.outcomes[index]);
  }

  // Every child that is no worker has lost its own.
  void sweep() {
    if (std::exchange(sweeping_, true)) {
      sweep_again_ = true;
      return;
    }
    sweep_ = std::make_unique<Sweep>(reactor_, registry_, nullptr, Deadline::after(kSweepTime),
                                     [this](const Swept&) {
                                       sweeping_ = false;
                                       if (std::exchange(sweep_again_, false)) return sweep();
                                       if (finishing_) reactor_.stop();
                                     });
  }

  void finish() {
    if (std::exchange(finishing_, true)) return;
    sweep();
  }

  const DriverOptions& options_;
  Report report_;
  std::vector<State> state_;
  Reactor reactor_;
  std::shared_ptr<ChildRegistry> registry_ = std::make_shared<ChildRegistry>();
  std::optional<LaunchThread> launch_thread_;
  std::unique_ptr<LocalLauncher> launcher_;
  std::map<std::size_t, std::unique_ptr<Worker>> workers_;
  std::unique_ptr<Sweep> sweep_;
  bool sweeping_ = false;
  bool sweep_again_ = false;
  bool finishing_ = false;
};

}  // namespace

std::size_t Report::count(Outcome::Verdict verdict) const {
  return static_cast<std::size_t>(std::count_if(
      outcomes.begin(), outcomes.end(), [&](const Outcome& each) { return each.verdict == verdict; }));
}

std::size_t Report::failed(Level level) const {
  return static_cast<std::size_t>(std::count_if(outcomes.begin(), outcomes.end(),
                                                [&](const Outcome& each) { return each.failed(level); }));
}

Report run_cases(const DriverOptions& options) {
  return Driver(options).run();
}

}  // namespace hostmesh::conformance
