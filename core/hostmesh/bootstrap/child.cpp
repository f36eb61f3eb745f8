#include "hostmesh/bootstrap/child.hpp"

#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/fault.hpp"
#include "hostmesh/base/fd.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/bootstrap/child_end.hpp"
#include "hostmesh/process/adopted_reaper.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/rlimit.hpp"
#include "hostmesh/process/sweep.hpp"

namespace hostmesh::bootstrap {

namespace {

constexpr Duration kPayloadTimeout = std::chrono::seconds(30);
// The last sweep ends when nobody is left; one who cannot be killed at all is given up. Until then an owner
// that lives ends this process when it has waited long enough, and one that is dead waits for nothing.
constexpr Duration kSweepTimeout = std::chrono::seconds(60);
// How long the last words may take.
constexpr Duration kFlushTimeout = std::chrono::seconds(1);

[[noreturn]] void die(const std::string& what) {
  std::fprintf(stderr, "hostmesh-bootstrap: %s\n", what.c_str());
  std::fflush(nullptr);
  ::_exit(1);
}

// Sets a standard stream aside under a number that nobody knows, and puts `replacement` in its place.
UniqueFd take_stream(int number, int replacement, const char* name) {
  UniqueFd taken(::fcntl(number, F_DUPFD_CLOEXEC, 3));
  if (!taken || ::dup2(replacement, number) < 0) {
    die(std::string("its ") + name + " cannot be set aside: " + errno_text(errno));
  }
  return taken;
}

// Stdin and stdout as the connection. What runs here reads nothing, and what it prints goes to stderr.
StdioEnds take_stdio() {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) die("/dev/null cannot be opened: " + errno_text(errno));
  return {.in = take_stream(STDIN_FILENO, null.get(), "stdin"),
          .out = take_stream(STDOUT_FILENO, STDERR_FILENO, "stdout"),
          .description = "the other end of its stdin and stdout"};
}

// Takes stdin away as the lifeline, so that nothing that runs here reads from it by accident.
UniqueFd take_lifeline() {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  if (!null) die("/dev/null cannot be opened: " + errno_text(errno));
  return take_stream(STDIN_FILENO, null.get(), "stdin");
}

// What makes the child a process: its lifeline on stdin, signals, the sweep of all below it, and its exit.
class Child {
 public:
  // How its owner is reached, and by what it learns that its owner is gone.
  struct Way {
    ChannelAddr owner;  // with a lifeline
    UniqueFd lifeline;
    std::optional<StdioEnds> stdio;  // or both in one
  };

  Child(Payload payload, Way way, const Config& config, ActorTable actors,
        const std::function<ChildHooks(Node&)>& make_hooks)
      : node_(config, std::move(actors)),
        end_(std::make_shared<ChildEnd>(
            node_, std::move(payload), std::move(way.owner), make_hooks(node_),
            ChildEnd::Events{.in_order = [this](int code) { leave(code, Mode::kOrderly); },
                             .at_once = [this](int code) { leave(code, Mode::kAtOnce); },
                             .failed = [](const Error& why) { die(why.text()); },
                             .connected = nullptr},
            std::move(way.stdio))),
        reaper_(node_.reactor, node_.engine.registry),
        lifeline_(io_context_of(node_.reactor)),
        signals_(io_context_of(node_.reactor), SIGTERM, SIGINT, SIGHUP),
        give_up_(node_.reactor) {
    if (way.lifeline) lifeline_.assign(way.lifeline.release());
    const char* const mark = std::getenv(kEnvAllocation);
    if (mark != nullptr) node_.mark = mark;
  }

  [[noreturn]] void run() {
    if (lifeline_.is_open()) {
      watch_lifeline();
      be_woken_by_owners_death();
    }
    signals_.async_wait([this](const boost::system::error_code& failure, int number) {
      if (!failure) leave(128 + number, Mode::kAtOnce);
    });
    node_.reactor.on_failure([this](const Error& error) { on_failure(error); });
    node_.reactor.post([this] { end_->begin(); });
    node_.reactor.run();
    ::_exit(1);  // leave() ends the process before
  }

 private:
  enum class Mode { kOrderly, kAtOnce };

  // Until here the owner's death ended this process by TERM. From now on the end of the lifeline does, in
  // order, and CONT makes a stopped process see it, which TERM would not.
  static void be_woken_by_owners_death() {
    int signal = 0;
    if (::prctl(PR_GET_PDEATHSIG, &signal) == 0 && signal != 0) ::prctl(PR_SET_PDEATHSIG, SIGCONT);
  }

  // What was to happen has not happened. Once, everything below is still swept; then the kernel has to do.
  void on_failure(const Error& error) {
    std::fprintf(stderr, "hostmesh-bootstrap: %s\n", error.what());
    if (std::exchange(has_failed_, true)) ::_exit(1);
    try {
      node_.reactor.post([this] { leave(1, Mode::kAtOnce); });
    } catch (...) {
      ::_exit(1);
    }
  }

  void watch_lifeline() {
    lifeline_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                         [this](const boost::system::error_code& failure) {
                           char ignored[64];
                           if (failure || ::read(lifeline_.native_handle(), ignored, sizeof ignored) <= 0) {
                             return leave(1, Mode::kAtOnce);  // its owner is gone
                           }
                           watch_lifeline();
                         });
  }

  // The one way out. Orderly: what runs here is stopped first; a second call makes it short. Either way
  // everything below this process is killed before it ends, and what was said is flushed.
  void leave(int code, Mode mode) {
    if (mode == Mode::kOrderly) {
      if (std::exchange(leaving_, true)) return;
      exit_code_ = code;
      end_->stop([this] { end_descendants(); });
      return;
    }
    if (!std::exchange(leaving_, true)) exit_code_ = code;
    end_descendants();
  }

  // A spawn that is under way now may end behind the first sweep's back; the one that begins after the last
  // spawn counts.
  void end_descendants() {
    if (std::exchange(ending_, true)) return;
    launches_ended_ = node_.engine.launch_thread.close([this] {
      node_.reactor.post([this] {
        launches_ended_ = true;
        if (!sweep_) sweep();
      });
    });
    sweep();
  }

  void sweep() {
    if (launches_ended_ && !has_children()) return flush_and_exit();
    sweep_ = std::make_unique<Sweep>(
        node_.reactor, node_.engine.registry, [](pid_t) { return true; }, Deadline::after(kSweepTimeout),
        [this, last = launches_ended_](const Swept& swept) {
          for (const pid_t pid : swept.survivors)
            log::error("could not be killed pid=" + std::to_string(pid));
          if (swept.has_unseen) log::error("processes are left that could not be found");
          if (last) return flush_and_exit();
          // Not from inside the sweep's own call.
          node_.reactor.post([this, ended = std::shared_ptr<Sweep>(std::move(sweep_))] {
            if (launches_ended_) sweep();
          });
        });
  }

  void flush_and_exit() {
    std::fflush(nullptr);
    end_->flush([this] { ::_exit(exit_code_); });
    give_up_.after(kFlushTimeout, [this] { ::_exit(exit_code_); });
  }

  Node node_;
  const std::shared_ptr<ChildEnd> end_;
  AdoptedReaper reaper_;
  boost::asio::posix::stream_descriptor lifeline_;
  boost::asio::signal_set signals_;
  Timer give_up_;
  bool has_failed_ = false;
  bool leaving_ = false;
  bool ending_ = false;
  bool launches_ended_ = false;
  int exit_code_ = 1;
  std::unique_ptr<Sweep> sweep_;
};

}  // namespace

bool is_child() {
  const char* mode = std::getenv(kEnvMode);
  return mode != nullptr && *mode != '\0';
}

namespace {

[[noreturn]] void run_as_child(ActorTable actors, const std::function<ChildHooks(Node&)>& make_hooks) {
  const std::string mode = std::getenv(kEnvMode) == nullptr ? "" : std::getenv(kEnvMode);
  Child::Way way;
  if (mode == kModeStdio) {
    way.stdio = take_stdio();
  } else if (mode == kModeStdin) {
    const char* address = std::getenv(kEnvAddr);
    auto owner = ChannelAddr::parse(address == nullptr ? "" : address);
    if (!owner) die(std::string(kEnvAddr) + " cannot be used: " + owner.error().text());
    way.owner = *std::move(owner);
    way.lifeline = take_lifeline();
  } else {
    die(std::string("this program is started by hostmesh, not by hand: ") + kEnvMode + " is '" + mode +
        "', not '" + kModeStdin + "' or '" + kModeStdio + "'");
  }
  auto payload =
      read_payload(way.stdio ? way.stdio->in.get() : way.lifeline.get(), Deadline::after(kPayloadTimeout));
  if (!payload) die(payload.error().text());
  // What this process starts is not to take itself for a child of our owner.
  for (const char* name : {kEnvAddr, kEnvIndex, kEnvMode, kEnvLogChannel}) ::unsetenv(name);

  std::signal(SIGPIPE, SIG_IGN);
  if (const auto made = become_subreaper(); !made) log::warning(made.error().text());
  Config config = Config::from_process_environment();
  config.install_from_parent(payload->config);
  // Never destroyed: the process ends from within.
  auto* child = new Child(*std::move(payload), std::move(way), config, std::move(actors), make_hooks);
  child->run();
}

}  // namespace

void run_child(ActorTable actors, const std::function<ChildHooks(Node&)>& make_hooks) {
  const char* const name = std::getenv(kEnvProcessName);
  const bool is_proc = name != nullptr && std::string_view(name).starts_with("proc ");
  fault::set_role(is_proc ? "proc" : "host");
  // Signals for users are for their programs. A host that dies of one takes its commands with it.
  if (!is_proc) {
    for (const int for_users : {SIGUSR1, SIGUSR2}) std::signal(for_users, SIG_IGN);
  }
  try {
    run_as_child(std::move(actors), make_hooks);
  } catch (...) {
    die(error_of_exception("it could not begin", "start").text());
  }
}

}  // namespace hostmesh::bootstrap
