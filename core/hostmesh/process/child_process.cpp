#include "hostmesh/process/child_process.hpp"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/log.hpp"
#include "hostmesh/process/child_registry.hpp"
#include "hostmesh/process/descendants.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "hostmesh/process/detail/stdin_writer.hpp"

namespace hostmesh {

namespace {

using boost::asio::posix::stream_descriptor;

constexpr std::size_t kChunk = 64 * 1024;
// For how long the rest of a group may live on when nobody holds the pipes any more.
constexpr Duration kSettle = std::chrono::milliseconds(100);

struct Output {
  Output(boost::asio::io_context& context, Stream which) : stream(which), pipe(context) {}

  Stream stream;
  stream_descriptor pipe;
  bool armed = false;
  std::size_t owed = 0;  // bytes that were in the pipe when the child ended, not delivered yet
};

enum class Read { kSome, kNothingNow, kEnded };

}  // namespace

// Kept by what it waits for, so it outlives its ChildProcess until the child is reaped.
//
// The end of a child:
//
//   pidfd readable -> (others hold its pipes: drain) -> group killed -> reaped -> owed output delivered ->
//   on_exit
//
// The drain ends with the last of the pipes, or when its time is over, or by a KILL; those of the group that
// live on then have another moment, in which most of them end by themselves, or, when the whole group was
// told to end, the time that they are given for it. Paused output stops its clock, and holds the end before
// the delivery; the loss of the owner ends it after the reaping.
struct ChildProcess::State : std::enable_shared_from_this<State> {
  State(Reactor& reactor, boost::asio::io_context& context, SpawnedProcess& spawned, Events wanted,
        AtExit wanted_at_exit)
      : pid(spawned.pid),
        group(spawned.group),
        at_exit(wanted_at_exit),
        drain_over(reactor),
        registry(std::move(spawned.registry)),
        pidfd(std::move(spawned.pidfd)),
        alarm(context),
        input(std::make_shared<detail::StdinWriter>(context, std::move(spawned.stdin_pipe))),
        outputs{Output(context, Stream::kStdout), Output(context, Stream::kStderr)},
        events(std::move(wanted)) {
    open_output(outputs[0], spawned.stdout_pipe);
    open_output(outputs[1], spawned.stderr_pipe);
  }

  // Only when the reactor goes away before the child is reaped.
  ~State() {
    static_cast<void>(alarm.release());
    if (reaped) return;
    kill_all();
    detail::wait_dead(pidfd.get(), std::chrono::seconds(1));
    reap();
  }

  void open_output(Output& output, UniqueFd& pipe) {
    if (!pipe) return;
    boost::system::error_code failed;
    output.pipe.assign(pipe.get(), failed);
    if (failed) {
      log::error("output of a child cannot be watched " + log::field("pid", std::to_string(pid)) + " " +
                 log::field("stream", to_string(output.stream)) + " " +
                 log::field("error", failed.message()));
      return;
    }
    static_cast<void>(pipe.release());
  }

  void begin(Reactor& reactor) {
    boost::system::error_code failed;
    alarm.assign(pidfd.get(), failed);
    if (failed) {
      log::error("a child cannot be watched and is killed " + log::field("pid", std::to_string(pid)) + " " +
                 log::field("error", failed.message()));
      kill_all();
      reactor.post([self = shared_from_this()] { self->lost(); });
      return;
    }
    await_end();
    for (Output& output : outputs) arm(output);
  }

  void await_end() {
    alarm.async_wait(stream_descriptor::wait_read,
                     [self = shared_from_this()](const boost::system::error_code& failed) {
                       if (!failed) self->ended();
                     });
  }

  void ended() {
    if (detail::wait_child(pid, pidfd.get(), detail::Take::kLook).state == detail::Waited::State::kAlive) {
      return await_end();
    }
    // stdin is the lifeline of whatever the child left behind.
    input->close();
    if (!owner || at_exit.group == GroupAtExit::kLeave || was_killed) return conclude();
    if (!others_hold_pipes()) return settle();
    draining = true;
    if (!paused) limit_drain();
  }

  // A process of its group that lives on may be about to end: the writer whose pipe has just ended, or one
  // that writes to a file.
  void settle() {
    draining = false;
    drain_over.cancel();
    if (!owner || group != ProcessGroup::kOwn || was_told_to_end || names_of_those_left().empty())
      return group_is_ending() ? linger() : conclude();
    draining = true;
    settling = true;
    if (!paused) limit_drain();
  }

  // Some of its group were told to end as well, and are at it.
  bool group_is_ending() const { return owner && !was_killed && group_was_told && has_living_orphans(pid); }

  // Nobody tells us of the end of a grandchild.
  void linger() {
    if (!lingering) linger_until = Deadline::after(at_exit.grace);
    draining = settling = lingering = true;
    if (linger_until.passed() || !group_is_ending()) return end_drain();
    if (paused) return;
    constexpr Duration kLookAgain = std::chrono::milliseconds(20);
    drain_over.after(kLookAgain, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->linger();
    });
  }

  // The kernel says so of a pipe without anything being read.
  bool others_hold_pipes() const {
    std::array<pollfd, 2> pipes{};
    std::size_t open = 0;
    for (const Output& output : outputs) {
      if (!output.pipe.is_open()) continue;
      pipes[open++] = {
          .fd = const_cast<Output&>(output).pipe.native_handle(), .events = POLLIN, .revents = 0};
    }
    if (open == 0 || ::poll(pipes.data(), open, 0) < 0) return false;
    return std::any_of(pipes.begin(), pipes.begin() + static_cast<std::ptrdiff_t>(open),
                       [](const pollfd& pipe) { return (pipe.revents & (POLLHUP | POLLERR)) == 0; });
  }

  void limit_drain() {
    drain_over.after(settling ? std::min(kSettle, at_exit.drain) : at_exit.drain, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->group_is_ending() ? self->linger() : self->end_drain();
    });
  }

  void end_drain() {
    if (!std::exchange(draining, false)) return;
    drain_over.cancel();
    conclude();
  }

  void conclude() {
    // While the leader is a zombie no other process can have the group's id.
    if (group == ProcessGroup::kOwn && (at_exit.group == GroupAtExit::kKill || !owner)) {
      // Whoever was told to end as well and had its time for it is named, too.
      if (owner && (!was_told_to_end || lingering)) left_behind = names_of_those_left();
      detail::send_group_signal(pid, SIGKILL);
    }
    reap();
    static_cast<void>(alarm.release());
    pidfd.reset();
    finish_after_reaping();
  }

  std::vector<std::string> names_of_those_left() const {
    std::vector<std::string> names;
    for (Orphan& orphan : living_orphans(pid)) names.push_back(std::move(orphan.name));
    return names;
  }

  void lost() {
    detail::wait_dead(pidfd.get(), std::chrono::milliseconds(100));
    reap();
    finish_after_reaping();
  }

  void finish_after_reaping() {
    input->close();
    if (!owner) return;
    for (Output& output : outputs) {
      int waiting = 0;
      if (output.pipe.is_open() && ::ioctl(output.pipe.native_handle(), FIONREAD, &waiting) == 0) {
        output.owed = static_cast<std::size_t>(waiting);
      }
    }
    proceed();
  }

  void reap() {
    const auto take = [this] {
      const detail::Waited waited = detail::wait_child(pid, pidfd.get(), detail::Take::kReap);
      switch (waited.state) {
        case detail::Waited::State::kDead:
          status = waited.status;
          break;
        case detail::Waited::State::kAlive:
          status = ExitStatus::unknown("it was killed and has not ended");
          break;
        case detail::Waited::State::kNotOurChild:
          status = ExitStatus::unknown("other code of this process has reaped it");
          break;
      }
    };
    reaped = true;
    if (registry) {
      registry->release(pid, take);
    } else {
      take();
    }
  }

  void kill_all() {
    if (group == ProcessGroup::kOwn) detail::send_group_signal(pid, SIGKILL);
    detail::send_signal(pid, pidfd.get(), SIGKILL);
  }

  // Delivers what is owed, then the exit, then reads on.
  void proceed() {
    if (status) {
      for (Output& output : outputs) {
        if (!settle(output)) return;
      }
      if (!owner || paused) return;
      ExitStatus ended_with = *std::exchange(status, std::nullopt);
      ended_with.left_behind = std::move(left_behind);
      deliver([&] {
        if (events.on_exit) events.on_exit(ended_with);
      });
    }
    for (Output& output : outputs) arm(output);
  }

  // True when all that the child itself wrote is delivered. Ends although a grandchild goes on writing.
  bool settle(Output& output) {
    while (owner && !paused && output.pipe.is_open()) {
      const std::size_t before = output.owed;
      if (read_some(output) != Read::kSome) {
        output.owed = 0;
        break;
      }
      // When all is paid there is one more look, for an end of file that is there already.
      if (before == 0) break;
    }
    return owner && !paused;
  }

  void arm(Output& output) {
    if (!owner || paused || output.armed || !output.pipe.is_open()) return;
    output.armed = true;
    output.pipe.async_wait(stream_descriptor::wait_read,
                           [self = shared_from_this(), &output](const boost::system::error_code& failed) {
                             output.armed = false;
                             if (!failed) self->readable(output);
                           });
  }

  void readable(Output& output) {
    // A child that floods its output gets a few turns and then the others have theirs.
    constexpr int kReadsAtOnce = 4;
    if (status) return proceed();
    for (int i = 0; i < kReadsAtOnce && owner && !paused && output.pipe.is_open(); ++i) {
      if (read_some(output) != Read::kSome) break;
    }
    if (draining && !settling && !others_hold_pipes()) return settle();
    arm(output);
  }

  Read read_some(Output& output) {
    std::array<std::uint8_t, kChunk> chunk;
    ssize_t count = -1;
    do {
      count = ::read(output.pipe.native_handle(), chunk.data(), chunk.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0 && errno == EAGAIN) return Read::kNothingNow;
    if (count <= 0) {
      close(output);
      deliver([&] {
        if (events.on_output_end) events.on_output_end(output.stream);
      });
      return Read::kEnded;
    }
    const auto size = static_cast<std::size_t>(count);
    output.owed -= std::min(output.owed, size);
    deliver([&] {
      if (events.on_output) events.on_output(output.stream, ByteView(chunk.data(), size));
    });
    return Read::kSome;
  }

  static void close(Output& output) {
    boost::system::error_code ignored;
    output.pipe.close(ignored);
  }

  // An event may destroy the ChildProcess; what it captured lives until it has returned.
  template <class Call>
  void deliver(const Call& call) {
    ++delivering;
    call();
    if (--delivering == 0 && !owner) events = Events{};
  }

  void abandon() {
    owner = false;
    input->close();
    for (Output& output : outputs) close(output);
    if (!reaped) kill_all();
    end_drain();
    if (delivering == 0) events = Events{};
  }

  // What is left of its group after a signal that was to end it was meant to end as well.
  void told(int signal) {
    for (const int end : {SIGTERM, SIGKILL, SIGINT, SIGHUP, SIGQUIT}) was_told_to_end |= signal == end;
    if (signal != SIGKILL) return;
    was_killed = true;
    if (draining) {
      // Not from inside the call.
      boost::asio::post(alarm.get_executor(), [self = shared_from_this()] { self->end_drain(); });
    }
  }

  void pause() {
    paused = true;
    drain_over.cancel();
  }

  void resume() {
    if (!std::exchange(paused, false)) return;
    if (draining) lingering ? linger() : limit_drain();
    boost::asio::post(alarm.get_executor(), [self = shared_from_this()] {
      if (self->owner && !self->paused) self->proceed();
    });
  }

  const pid_t pid;
  const ProcessGroup group;
  const AtExit at_exit;
  Timer drain_over;
  const std::shared_ptr<ChildRegistry> registry;
  UniqueFd pidfd;
  stream_descriptor alarm;  // watches pidfd, does not own it
  std::shared_ptr<detail::StdinWriter> input;
  std::array<Output, 2> outputs;
  Events events;
  bool owner = true;  // the ChildProcess is there
  bool paused = false;
  bool reaped = false;
  bool draining = false;
  bool settling = false;
  bool lingering = false;
  Deadline linger_until = Deadline::never();
  bool was_told_to_end = false;  // by its owner
  bool group_was_told = false;   // with it
  bool was_killed = false;
  std::vector<std::string> left_behind;
  int delivering = 0;
  std::optional<ExitStatus> status;  // known and not reported yet
};

ChildProcess::ChildProcess(Reactor& reactor, SpawnedProcess spawned, Events events, AtExit at_exit)
    : state_(std::make_shared<State>(reactor, io_context_of(reactor), spawned, std::move(events), at_exit)) {
  state_->begin(reactor);
}

ChildProcess::~ChildProcess() {
  state_->abandon();
}

pid_t ChildProcess::pid() const {
  return state_->pid;
}

bool ChildProcess::exited() const {
  return state_->reaped;
}

Result<> ChildProcess::signal(int signal) {
  if (state_->reaped) return {};
  state_->told(signal);
  if (const int error = detail::send_signal(state_->pid, state_->pidfd.get(), signal)) {
    return os_error(Cause::kIo, "send signal " + signal_name(signal) + " to pid " + std::to_string(pid()),
                    error);
  }
  return {};
}

Result<> ChildProcess::signal_group(int signal) {
  if (state_->group != ProcessGroup::kOwn) return this->signal(signal);
  if (state_->reaped) return {};
  state_->told(signal);
  state_->group_was_told |= state_->was_told_to_end;
  if (const int error = detail::send_group_signal(state_->pid, signal)) {
    return os_error(Cause::kIo,
                    "send signal " + signal_name(signal) + " to process group " + std::to_string(pid()),
                    error);
  }
  return {};
}

void ChildProcess::write_stdin(Bytes bytes) {
  state_->input->write(std::move(bytes));
}

void ChildProcess::close_stdin() {
  state_->input->close_when_written();
}

std::size_t ChildProcess::stdin_backlog() const {
  return state_->input->backlog();
}

void ChildProcess::pause_output() {
  state_->pause();
}

void ChildProcess::resume_output() {
  state_->resume();
}

}  // namespace hostmesh
