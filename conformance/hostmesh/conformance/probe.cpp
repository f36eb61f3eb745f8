#include "hostmesh/conformance/probe.hpp"

#include <future>
#include <thread>
#include <utility>

#include "hostmesh/base/reactor.hpp"
#include "hostmesh/base/thread.hpp"
#include "hostmesh/process/launch_thread.hpp"
#include "hostmesh/process/spawn.hpp"

namespace hostmesh::conformance {

namespace {

// How long a plugin may take in destroy(), after a case that has ended already.
constexpr Duration kLastGrace = std::chrono::seconds(2);

}  // namespace

// Shared with the reactor's thread, which a plugin may never give back.
struct Probe::Engine {
  Reactor reactor;
  std::unique_ptr<LaunchThread> launch_thread = std::make_unique<LaunchThread>();
  std::unique_ptr<ChildLauncher> launcher;
  std::thread thread;
  bool stuck = false;
};

Probe::Probe(Stage& stage, const Options& options)
    : stage_(stage),
      record_(std::make_shared<Recorder>([&stage](const std::string& event) { stage.note(event); })),
      engine_(std::make_shared<Engine>()) {
  const Subject& subject = stage.subject();
  engine_->thread = value_or_throw(start_thread(
      "hm-reactor", [engine = engine_] { engine->reactor.run(); }, ThreadSignals::kInherited));
  auto failure = std::make_shared<std::optional<Error>>();
  on_reactor("create", [this, &subject, limit = options.descriptor_limit, failure] {
    auto made = subject.plugin->create(
        engine_->reactor, *engine_->launch_thread, subject.options, record_->events(),
        {.commands = {.descriptor_limit = limit, .registry = stage_.registry()}, .observer = record_});
    if (made) {
      engine_->launcher = *std::move(made);
    } else {
      *failure = made.error();
    }
  });
  if (*failure) stage.fail("an instance can be made with these options", (*failure)->text());
}

Probe::~Probe() {
  try {
    destroy();
  } catch (const Failure&) {
    // The case has failed already, or is to be judged by what it saw before.
  }
  if (engine_->stuck) {
    engine_->thread.detach();
    return;
  }
  engine_->reactor.stop();
  engine_->thread.join();
  engine_->launch_thread.reset();
}

void Probe::on_reactor(const std::string& call, const std::function<void()>& work) {
  if (engine_->stuck) return;
  if (std::this_thread::get_id() == engine_->thread.get_id()) return work();
  const auto done = std::make_shared<std::promise<void>>();
  auto finished = done->get_future();
  engine_->reactor.post([engine = engine_, done, work] {
    work();
    done->set_value();
  });
  const Deadline deadline =
      stage_.deadline().passed() ? Deadline::after(stage_.scaled(kLastGrace)) : stage_.deadline();
  if (finished.wait_until(deadline.when()) == std::future_status::ready) return;
  engine_->stuck = true;
  stage_.fail(call + " returns at once", "it had not returned when the time of the case was over");
}

LaunchId Probe::launch(LaunchRequest request) {
  const LaunchId id = launched_as_.size() + 1;
  launched_as_.push_back(command_text(request.argv));
  request.rank = id - 1;
  stage_.note("launch " + std::to_string(id) + " is " + launched_as_.back());
  const auto held = std::make_shared<LaunchRequest>(std::move(request));
  on_reactor("launch", [engine = engine_, id, held] { engine->launcher->launch(id, std::move(*held)); });
  return id;
}

void Probe::signal(LaunchId id, int number) {
  on_reactor("signal", [engine = engine_, id, number] { engine->launcher->signal(id, number); });
}

void Probe::close_stdin(LaunchId id) {
  on_reactor("close_stdin", [engine = engine_, id] { engine->launcher->close_stdin(id); });
}

void Probe::pause_output(LaunchId id) {
  on_reactor("pause_output", [engine = engine_, id] { engine->launcher->pause_output(id); });
}

void Probe::resume_output(LaunchId id) {
  on_reactor("resume_output", [engine = engine_, id] { engine->launcher->resume_output(id); });
}

void Probe::destroy() {
  if (std::exchange(destroyed_, true)) return;
  on_reactor("destroy", [engine = engine_] { engine->launcher.reset(); });
}

Seen Probe::await_launched(LaunchId id) {
  return await(id, "is reported as launched", [](const Seen& seen) { return seen.launched; });
}

Seen Probe::await_end(LaunchId id) {
  return await(id, "is reported as ended", [](const Seen& seen) { return seen.ended; });
}

Seen Probe::await_output(LaunchId id, const std::string& text) {
  return await(id, "writes '" + text + "'",
               [&](const Seen& seen) { return seen.out.find(text) != std::string::npos; });
}

Seen Probe::await(LaunchId id, const std::string& what, const std::function<bool(const Seen&)>& enough) {
  if (!record_->wait_seen(id, stage_.deadline(), enough)) {
    stage_.fail("launch " + std::to_string(id) + " (" + launched_as_.at(id - 1) + ") " + what,
                "when the time of the case was over, which --patience makes longer: " + seen(id).text());
  }
  return seen(id);
}

LaunchId Probe::launch_ready(LaunchRequest request) {
  const LaunchId id = launch(std::move(request));
  const Seen now = await(id, "says that it is ready", [](const Seen& seen) {
    return seen.ended || seen.out.find("ready ") != std::string::npos;
  });
  if (now.ended) {
    stage_.fail("launch " + std::to_string(id) + " (" + launched_as_.at(id - 1) + ") says that it is ready",
                now.text() + (now.err.empty() ? "" : "; it wrote: " + now.err));
  }
  return id;
}

}  // namespace hostmesh::conformance
