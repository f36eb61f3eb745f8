#include "hostmesh/base/reactor.hpp"

#include <unistd.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <string_view>
#include <utility>

#include "hostmesh/base/detail/reactor_impl.hpp"
#include "hostmesh/base/log.hpp"

namespace hostmesh {

namespace {

// The exception that is being handled. Said without a single allocation when there is no memory for more.
void tell(const std::function<void(const Error&)>& failed) noexcept {
  try {
    const Error error = error_of_exception("the reactor thread failed", "reactor");
    if (failed) return failed(error);
    log::error(error.text());
  } catch (...) {
    constexpr std::string_view kNothingLeft = "hostmesh: the reactor thread failed: no memory is left\n";
    (void)!::write(STDERR_FILENO, kNothingLeft.data(), kNothingLeft.size());
  }
}

}  // namespace

// Asio makes its descriptors with the first timer. Made here, a shortage of them is found here and not later,
// on a thread where nobody waits for it.
Reactor::Reactor() try : impl_(std::make_unique<Impl>()) {
  const boost::asio::steady_timer first(impl_->context);
} catch (...) {
  throw error_of_exception("the reactor's descriptors could not be made", "reactor", Cause::kIo);
}
Reactor::~Reactor() = default;

void Reactor::run() {
  auto work = boost::asio::make_work_guard(impl_->context);
  impl_->thread = std::this_thread::get_id();
  for (bool failed = true; failed;) {
    try {
      impl_->context.run();
      failed = false;
    } catch (...) {
      tell(impl_->failed);
    }
  }
  impl_->thread = std::thread::id();
  work.reset();              // the last of the work stops the context again
  impl_->context.restart();  // for the next run(); a stop() before the first one counts
}

void Reactor::on_failure(std::function<void(const Error&)> failed) {
  impl_->failed = std::move(failed);
}

void Reactor::stop() {
  impl_->context.stop();
}

void Reactor::post(std::function<void()> work) {
  boost::asio::post(impl_->context, std::move(work));
}

bool Reactor::on_thread() const {
  return impl_->thread.load() == std::this_thread::get_id();
}

Reactor::Doing::Doing(Reactor& reactor, std::string what) : reactor_(reactor) {
  const std::lock_guard lock(reactor_.impl_->doing_mutex);
  outer_ = std::exchange(reactor_.impl_->doing, std::move(what));
}

Reactor::Doing::~Doing() {
  const std::lock_guard lock(reactor_.impl_->doing_mutex);
  reactor_.impl_->doing = std::move(outer_);
}

std::string Reactor::doing() const {
  const std::lock_guard lock(impl_->doing_mutex);
  return impl_->doing;
}

std::string Reactor::blocked_text() const {
  const std::string what = doing();
  return "the reactor thread is blocked" + (what.empty() ? "" : " in " + what);
}

struct Timer::State {
  explicit State(Reactor& reactor) : timer(io_context_of(reactor)) {}
  boost::asio::steady_timer timer;
  std::uint64_t generation = 0;  // an alarm that was queued before at() or cancel() finds an older number
  std::function<void()> alarm;
};

Timer::Timer(Reactor& reactor) : state_(std::make_shared<State>(reactor)) {}

Timer::~Timer() {
  cancel();
}

void Timer::at(Deadline when, std::function<void()> alarm) {
  cancel();
  if (when.is_never()) return;
  state_->alarm = std::move(alarm);
  state_->timer.expires_at(when.when());
  state_->timer.async_wait([state = std::weak_ptr<State>(state_),
                            generation = state_->generation](const boost::system::error_code& failure) {
    const auto alive = state.lock();
    if (failure || !alive || alive->generation != generation) return;
    ++alive->generation;
    const auto due = std::exchange(alive->alarm, nullptr);
    if (due) due();
  });
}

void Timer::cancel() {
  ++state_->generation;
  state_->alarm = nullptr;
  state_->timer.cancel();
}

}  // namespace hostmesh
