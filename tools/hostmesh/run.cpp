// `hostmesh run`: allocate, spawn the command on every rank, pass its output on, tear everything down.
#include <sys/eventfd.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <deque>
#include <filesystem>
#include <future>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>
#include <variant>

#include "commands.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/base/thread.hpp"
#include "hostmesh/hostmesh.hpp"
#include "hostmesh/process/exit_status.hpp"
#include "hostmesh/process/keeper.hpp"
#include "printer.hpp"
#include "signals.hpp"

namespace hostmesh::cli {

namespace {

using std::chrono::steady_clock;

double seconds_between(steady_clock::time_point from, steady_clock::time_point to) {
  return std::chrono::duration<double>(to - from).count();
}

// How long the very last sweep may take.
constexpr Duration kSweepTimeout = std::chrono::seconds(5);

struct Interrupt {};
// The stop of all commands has come to its end, and what it found can be read.
struct StopEnded {};
struct Event {
  std::variant<ProcState, ProcChange, ProcOutput, Interrupt, StopEnded> what;
  steady_clock::time_point when = steady_clock::now();
};

// From the reactor and the signal thread to the main thread. Output in it is bounded by the hosts' windows.
class Events {
 public:
  void push(Event event) {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
    changed_.notify_one();
  }
  // Waits, where `until` is given no longer than that; then there may be none.
  std::optional<Event> pop(std::optional<steady_clock::time_point> until) {
    std::unique_lock lock(mutex_);
    const auto is_there = [this] { return !events_.empty(); };
    if (!until) {
      changed_.wait(lock, is_there);
    } else if (!changed_.wait_until(lock, *until, is_there)) {
      return std::nullopt;
    }
    return take();
  }
  std::optional<Event> try_pop() {
    const std::lock_guard lock(mutex_);
    if (events_.empty()) return std::nullopt;
    return take();
  }

 private:
  Event take() {
    Event event = std::move(events_.front());
    events_.pop_front();
    return event;
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Event> events_;
};

// What a Ctrl-C that insists reaches, from the signal thread, while the main thread is inside a shutdown.
class Emergency {
 public:
  void arm(HostMesh* mesh) {
    const std::lock_guard lock(mutex_);
    mesh_ = mesh;
    if (fired_ && mesh_ != nullptr) mesh_->kill();
  }
  void fire() {
    const std::lock_guard lock(mutex_);
    fired_ = true;
    if (mesh_ != nullptr) mesh_->kill();
  }
  bool fired() const {
    const std::lock_guard lock(mutex_);
    return fired_;
  }

  // The reactor, while there is one: it has to work for anything to be killed in order.
  void watch(Reactor* reactor) {
    const std::lock_guard lock(mutex_);
    reactor_ = reactor;
  }
  // What blocks the reactor, if something does.
  std::optional<std::string> what_blocks() const {
    const auto answer = std::make_shared<std::promise<void>>();
    const std::lock_guard lock(mutex_);
    if (reactor_ == nullptr) return std::nullopt;
    reactor_->post([answer] { answer->set_value(); });
    if (answer->get_future().wait_for(kAnswerTime) == std::future_status::ready) return std::nullopt;
    return reactor_->blocked_text();
  }

 private:
  static constexpr std::chrono::seconds kAnswerTime{2};

  mutable std::mutex mutex_;
  HostMesh* mesh_ = nullptr;
  Reactor* reactor_ = nullptr;
  bool fired_ = false;
};

// While it lives, an emergency looks at this runtime's reactor.
class Watch {
 public:
  Watch(Emergency& emergency, Runtime& runtime) : emergency_(emergency) {
    emergency_.watch(&runtime.reactor());
  }
  ~Watch() { emergency_.watch(nullptr); }
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  Emergency& emergency_;
};

// While it lives, an emergency kills this mesh.
class Armed {
 public:
  Armed(Emergency& emergency, HostMesh& mesh) : emergency_(emergency) { emergency_.arm(&mesh); }
  ~Armed() { emergency_.arm(nullptr); }
  Armed(const Armed&) = delete;
  Armed& operator=(const Armed&) = delete;

 private:
  Emergency& emergency_;
};

// Who gets the signals that are handed on: the commands, from when all of them run. A signal that comes
// earlier is dropped: a command that has only just been started could not have prepared for it, and would die
// of it.
class Audience {
 public:
  void set(std::optional<ProcMesh> procs) {
    const std::lock_guard lock(mutex_);
    procs_ = std::move(procs);
  }
  void hand_on(int number) {
    const std::lock_guard lock(mutex_);
    if (procs_) return procs_->signal(number);
    log::info("a signal came while no command was there to take it " +
              log::field("signal", signal_name(number)));
  }

 private:
  std::mutex mutex_;
  std::optional<ProcMesh> procs_;
};

// While it lives, these commands are the audience.
class Listening {
 public:
  Listening(Audience& audience, const ProcMesh& procs) : audience_(audience) { audience_.set(procs); }
  ~Listening() { audience_.set(std::nullopt); }
  Listening(const Listening&) = delete;
  Listening& operator=(const Listening&) = delete;

 private:
  Audience& audience_;
};

// A thread that is waited for, whatever happens to its owner.
struct Joined {
  ~Joined() { join(); }
  void join() {
    if (thread.joinable()) thread.join();
  }
  std::thread thread;
};

class Run {
 public:
  explicit Run(const RunOptions& options)
      : options_(options),
        cancel_fd_(::eventfd(0, EFD_CLOEXEC)),
        signals_([this](int number, Escalation::Action action) { on_signal(number, action); }),
        printer_(
            options.format, options.labels, [this] { return patience(); }, cancel_fd_.get()) {}

  int execute() {
    // All that can be wrong with what was asked is found before anything is started.
    const Extent hosts = value_or_throw(Extent::parse_arguments(options_.extent));
    const Extent per_host =
        options_.per_host.empty() ? Extent() : value_or_throw(Extent::parse_arguments(options_.per_host));
    const Duration timeout = value_or_throw(parse_duration(options_.timeout));
    value_or_throw(Name::reserved(options_.name));
    value_or_throw(hosts.concat(per_host));
    if (!options_.exported.empty()) exported_ = value_or_throw(Export::parse(options_.exported));
    if (per_host.num_ranks() == 0)
      throw Error(Cause::kInvalidArgument, "--per-host " + options_.per_host + " is no proc");

    if (is_without_keeper()) return 128 + SIGKILL;  // killed before we could hear of it
    Runtime runtime(
        {}, {.descendants = RuntimeOptions::Descendants::kWholeProcess, .on_failure = [](const Error& error) {
               // What has been started hears from the kernel that we are gone.
               std::fprintf(stderr, "hostmesh: %s\n", error.what());
               ::_exit(kNotComeUpStatus);
             }});
    const Watch watch(emergency_, runtime);
    std::unique_ptr<Allocator> allocator;
    try {
      allocator =
          load_allocator(options_.config, options_.allocator, runtime, BootstrapCommand::stock(), cancel_);
    } catch (const Error& error) {
      if (error.cause() != Cause::kCancelled) throw;
      return did_not_come_up(error);
    }
    ChildTiming timing = ChildTiming::from(runtime.config());
    // Who has set no limit for launches means this one.
    if (!runtime.config().propagated().contains(std::string(attribute::kLaunchTimeout.name))) {
      timing.launch = std::max<Duration>(timing.launch, timeout);
    }
    auto alloc = allocator->allocate({.extent = hosts, .timing = timing});
    const int status = with_allocation(runtime, std::move(alloc), per_host, timeout);
    if (const auto swept = runtime.sweep(Deadline::after(kSweepTimeout)); !swept) {
      complain(swept.error());
    } else if (procs_ && signal_ == 0) {
      for (const std::string& name : *swept) left_behind_[std::nullopt].push_back(name);
    }
    tell_left_behind();
    times_.wall_s = seconds_between(start_, steady_clock::now());
    drain_events();
    printer_.end(status, times_);
    return status;
  }

 private:
  int with_allocation(Runtime& runtime, std::unique_ptr<Alloc> alloc, const Extent& per_host,
                      Duration timeout) {
    const auto allocate_start = steady_clock::now();
    const std::uint64_t total = alloc->extent().num_ranks();
    signals_.set_progress([this, total] {
      return "hostmesh: " + std::to_string(ready_hosts_.load()) + "/" + std::to_string(total) + " hosts up";
    });
    std::optional<HostMesh> mesh;
    try {
      mesh = HostMesh::allocate(
          runtime, std::move(alloc), options_.name,
          {.within = timeout,
           .on_state = [this](const ProcState& state) { events_.push({state}); },
           .on_progress = [this](std::uint64_t ready, std::uint64_t) { ready_hosts_ = ready; },
           .cancel = cancel_});
    } catch (const Error& error) {
      signals_.set_progress(nullptr);
      times_.allocate_s = seconds_between(allocate_start, steady_clock::now());
      return did_not_come_up(error);
    }
    signals_.set_progress(nullptr);
    const Armed armed(emergency_, *mesh);
    times_.allocate_s = seconds_between(allocate_start, steady_clock::now());
    int status = 0;
    try {
      status = with_mesh(*mesh, per_host, Duration(timeout));
    } catch (const Error& error) {
      status = did_not_come_up(error);
    }
    const auto shutdown_start = steady_clock::now();
    try {
      for (LeftBehind& left : mesh->shutdown()) left_behind_[left.rank].push_back(std::move(left.name));
    } catch (const Error& error) {
      if (!emergency_.fired()) complain(error);
    }
    times_.shutdown_s = seconds_between(shutdown_start, steady_clock::now());
    return status;
  }

  int with_mesh(HostMesh& mesh, const Extent& per_host, Duration timeout) {
    const auto spawn_start = steady_clock::now();
    BootstrapCommand command = BootstrapCommand::stock();  // for our environment
    command.argv = options_.command;
    std::error_code failure;
    command.working_directory = std::filesystem::current_path(failure).string();
    procs_ =
        mesh.spawn(options_.name, per_host,
                   {.command = command,
                    .stderr_use = options_.streams == Streams::kMerged ? ProcTemplate::Stderr::kWithStdout
                                                                       : ProcTemplate::Stderr::kOwn,
                    .exported = exported_,
                    .within = timeout,
                    .max_idle = timeout,
                    .on_output = [this](ProcOutput output) { events_.push({std::move(output)}); },
                    .on_change = [this](const ProcChange& change) { events_.push({change}); },
                    .cancel = cancel_});
    times_.spawn_s = seconds_between(spawn_start, steady_clock::now());
    const auto run_start = steady_clock::now();
    const Listening listening(audience_, *procs_);
    const int status = follow(mesh, *procs_);
    times_.run_s = seconds_between(run_start, steady_clock::now());
    return status;
  }

  // Until every command has ended. The first that fails, or a signal, makes the others stop.
  int follow(HostMesh& mesh, ProcMesh& procs) {
    int status = 0;
    std::uint64_t left = procs.extent().num_ranks();
    bool stopping = false;
    std::optional<Error> stop_problem;
    Joined stopper;  // the stop waits for the commands, and those for us to take their output
    const auto stop_all = [&] {
      if (std::exchange(stopping, true)) return;
      auto started = start_thread("hm-stop", [&] {
        try {
          procs.stop();
        } catch (const Error& error) {
          stop_problem = error;
        }
        events_.push({StopEnded{}});
      });
      if (started) {
        stopper.thread = *std::move(started);
        return;
      }
      // The hosts take all that runs on them with them.
      complain(started.error().with_phase("stop"));
      stop_problem = started.error();
      emergency_.fire();
      events_.push({StopEnded{}});
    };
    while (left > 0) {
      std::optional<Event> event = events_.try_pop();
      printer_.give_held(event ? event->when : steady_clock::now());
      if (!event) {
        printer_.flush();
        give_back_taken(procs);
      }
      // Before the wait, which may be long: a command that writes no more is stopped all the same.
      if (printer_.consumer_gone() && !stopping) {
        if (status == 0) status = 128 + (signal_ != 0 ? signal_.load() : SIGPIPE);
        stop_all();
      }
      if (!event) event = events_.pop(printer_.due());
      if (!event) continue;
      if (std::holds_alternative<Interrupt>(event->what)) {
        if (signal_ != 0 && status == 0) status = 128 + signal_;
        if (emergency_.fired()) break;  // what is left goes with its host
        if (signal_ != 0) stop_all();
        continue;
      }
      if (std::holds_alternative<StopEnded>(event->what)) {
        if (stop_problem) break;
        continue;
      }
      tell(*event);
      if (const auto* output = std::get_if<ProcOutput>(&event->what);
          output && output->what == ProcOutput::What::kEnd) {
        --left;
        const int exit_status = exit_status_of(*output);
        if (exit_status != 0 && status == 0) {
          status = exit_status;
          complain(end_error(mesh, procs, *output));
          if (options_.on_failure == OnFailure::kStopAll) stop_all();
        }
      }
    }
    stopper.join();
    if (stop_problem && !emergency_.fired()) complain(*stop_problem);
    printer_.flush();
    return status;
  }

  // What commands had started and not ended, and what was killed for that.
  void tell_left_behind() {
    for (auto& [rank, names] : left_behind_) {
      printer_.left_behind(rank, names, seconds_between(start_, steady_clock::now()));
    }
  }

  static int exit_status_of(const ProcOutput& end) {
    if (!end.reason) return 1;
    if (end.reason->kind == StopReason::Kind::kStopped) return 0;
    if (end.reason->signal != 0) return 128 + end.reason->signal;
    return end.reason->code != 0 ? end.reason->code : 1;
  }

  Error end_error(HostMesh& mesh, const ProcMesh& procs, const ProcOutput& end) const {
    ErrorInfo info{
        .cause = Cause::kChildExited,
        .message = end.reason ? "the command failed" : end.failure,
        .rank = end.rank,
        .host = mesh.host_text(end.rank / (procs.extent().num_ranks() / mesh.extent().num_ranks())),
        .phase = "run",
        .command = options_.command.front()};
    if (end.reason) info.exit_status = end.reason->text();
    return Error(std::move(info));
  }

  void tell(const Event& event) {
    const double t = seconds_between(start_, event.when);
    if (const auto* state = std::get_if<ProcState>(&event.what)) {
      printer_.state(*state, t);
    } else if (const auto* change = std::get_if<ProcChange>(&event.what)) {
      if (procs_) printer_.proc(*change, procs_->proc_id(change->rank), t);
    } else if (const auto* output = std::get_if<ProcOutput>(&event.what)) {
      printer_.output(*output, t, event.when);
      if (!output->bytes.empty()) {
        std::uint64_t& taken = taken_[output->rank];
        taken += output->bytes.size();
        if (taken >= kTakenBatch && procs_) procs_->output_taken(output->rank, std::exchange(taken, 0));
      }
    }
  }

  void give_back_taken(ProcMesh& procs) {
    for (const auto& [rank, bytes] : std::exchange(taken_, {})) {
      if (bytes > 0) procs.output_taken(rank, bytes);
    }
  }

  void drain_events() {
    while (const auto event = events_.try_pop()) tell(*event);
  }

  int did_not_come_up(const Error& error) {
    drain_events();
    if (error.cause() == Cause::kCancelled && signal_ != 0) return 128 + signal_;
    complain(error);
    return kNotComeUpStatus;
  }

  void complain(const Error& error) { printer_.complain(error); }

  // With those who do not read what we write.
  Patience patience() const {
    if (emergency_.fired()) return Patience::kNone;
    return cancel_->requested() ? Patience::kBounded : Patience::kEndless;
  }

  bool is_without_keeper() const { return options_.keeper != 0 && ::getppid() != options_.keeper; }

  // On the signal thread.
  void on_signal(int number, Escalation::Action action) {
    switch (action) {
      case Escalation::Action::kNothing:
        return;
      case Escalation::Action::kHandOn:
        // The kernel sends CONT when the keeper is killed. Nobody waits for us any more, so nothing is done
        // in order.
        if (number == SIGCONT && is_without_keeper()) {
          kill_all_children();
          ::_exit(128 + SIGKILL);
        }
        return audience_.hand_on(number);
      case Escalation::Action::kEndInOrder: {
        signal_ = number;
        cancel_->request();
        const std::uint64_t one = 1;
        (void)!::write(cancel_fd_.get(), &one, sizeof one);
        events_.push({Interrupt{}});
        return;
      }
      case Escalation::Action::kEndNow:
        emergency_.fire();
        events_.push({Interrupt{}});
        if (const auto blocked = emergency_.what_blocks()) give_up(number, *blocked);
        return;
    }
  }

  // What is still running hears from the kernel that we are gone.
  [[noreturn]] static void give_up(int number, const std::string& blocked) {
    std::fprintf(stderr, "hostmesh: interrupted twice, and %s\n", blocked.c_str());
    ::_exit(128 + number);
  }

  static constexpr std::uint64_t kTakenBatch = 32 << 10;  // bytes

  const RunOptions& options_;
  const steady_clock::time_point start_ = steady_clock::now();
  Export exported_;
  std::shared_ptr<Cancel> cancel_ = std::make_shared<Cancel>();
  UniqueFd cancel_fd_;
  std::atomic<int> signal_ = 0;
  std::atomic<std::uint64_t> ready_hosts_ = 0;
  Events events_;
  Emergency emergency_;
  Audience audience_;
  Signals signals_;
  Printer printer_;
  std::map<Rank, std::uint64_t> taken_;
  std::map<std::optional<Rank>, std::vector<std::string>> left_behind_;  // names
  std::optional<ProcMesh> procs_;  // what the last events are about may be over
  Times times_;
};

}  // namespace

int run(const RunOptions& options) {
  return Run(options).execute();
}

}  // namespace hostmesh::cli
