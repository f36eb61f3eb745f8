#include "hostmesh/conformance/recorder.hpp"

#include <algorithm>
#include <sstream>
#include <utility>

#include "hostmesh/process/descendants.hpp"

namespace hostmesh::conformance {

namespace {

std::string launch_text(LaunchId id) {
  return id == 0 ? std::string() : " of launch " + std::to_string(id);
}

// For how long the calling thread has been ready to run so far and had no processor.
Duration waited_for_a_processor() {
  std::istringstream text(read_proc_file("/proc/thread-self/schedstat").value_or(""));
  std::int64_t ran_ns = 0;
  std::int64_t waited_ns = 0;
  text >> ran_ns >> waited_ns;
  return std::chrono::nanoseconds(waited_ns);
}

}  // namespace

std::string Seen::text() const {
  if (ended) return error ? "failed: " + error->text() : status.text();
  if (launched) return "launched with pid " + std::to_string(pid) + " and not ended";
  return "nothing was reported";
}

ChildLauncher::Events Recorder::events() {
  return {
      .on_launched =
          [this](LaunchId id, std::int64_t pid, const std::string& node) {
            add("launch " + std::to_string(id) + " is launched, pid " + std::to_string(pid) + " at " + node,
                [&] {
                  Seen& seen = seen_[id];
                  seen.launched = true;
                  seen.pid = pid;
                  seen.node = node;
                });
          },
      .on_output =
          [this](LaunchId id, OutputStream stream, ByteView bytes) {
            add("launch " + std::to_string(id) + " wrote " + std::to_string(bytes.size()) + " bytes to " +
                    std::string(to_string(stream)),
                [&] {
                  Seen& seen = seen_[id];
                  (stream == OutputStream::kStdout ? seen.out : seen.err).append(bytes.begin(), bytes.end());
                });
          },
      .on_exited =
          [this](LaunchId id, const ExitStatus& status) {
            add("launch " + std::to_string(id) + " " + status.text(), [&] {
              seen_[id].ended = true;
              seen_[id].status = status;
            });
          },
      .on_failed =
          [this](LaunchId id, const Error& error) {
            add("launch " + std::to_string(id) + " failed: " + error.text(), [&] {
              seen_[id].ended = true;
              seen_[id].error = error;
            });
          }};
}

// The reports themselves are not noted: what is not dropped is noted as the event that it becomes.
void Recorder::on_report(const Report& report) {
  const auto record = [&] {
    reports_.push_back({std::string(report.call), report.id, report.moment, report.number});
  };
  if (report.moment == Moment::kBeforeDestroy) return add({}, record);
  add("the plugin calls " + std::string(report.call) + launch_text(report.id) +
          (report.moment == Moment::kInDestroy ? " from inside destroy" : " after destroy"),
      record);
}

void Recorder::on_dropped(std::string_view call, LaunchId id, std::string_view why) {
  add("the plugin's " + std::string(call) + launch_text(id) + " is dropped: " + std::string(why), [&] {
    dropped_.push_back({std::string(call), id, std::string(why)});
  });
}

void Recorder::on_taken_back(LaunchId id) {
  add("the plugin takes launch " + std::to_string(id) + " back", [&] { taken_back_.push_back(id); });
}

std::size_t Recorder::taken_back(LaunchId id) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count(taken_back_.begin(), taken_back_.end(), id));
}

void Recorder::on_call(std::string_view call, LaunchId id) {
  add("the host calls " + std::string(call) + launch_text(id), [&] {
    calls_.push_back(
        {.call = std::string(call), .id = id, .began = {}, .took = {}, .own = {}, .exception = {}});
  });
  // To note it may have taken a while.
  const std::lock_guard lock(mutex_);
  waited_before_call_ = waited_for_a_processor();
  calls_.back().began = Clock::now();
}

void Recorder::on_return(std::string_view call, LaunchId id) {
  const TimePoint now = Clock::now();
  const Duration waited = waited_for_a_processor();
  add({}, [&] {
    const auto last = std::find_if(calls_.rbegin(), calls_.rend(), [&](const HostCallSeen& each) {
      return each.call == call && each.id == id && !each.took;
    });
    if (last == calls_.rend()) return;
    last->took = now - last->began;
    last->own = std::max(Duration::zero(), *last->took - (waited - waited_before_call_));
  });
}

void Recorder::on_exception(std::string_view call, std::string_view what) {
  add("an exception comes out of " + std::string(call) + ": " + std::string(what), [&] {
    if (!calls_.empty()) calls_.back().exception = what;
  });
}

Seen Recorder::seen(LaunchId id) const {
  const std::lock_guard lock(mutex_);
  const auto found = seen_.find(id);
  return found == seen_.end() ? Seen{} : found->second;
}

std::vector<RawReport> Recorder::reports() const {
  const std::lock_guard lock(mutex_);
  return reports_;
}

std::vector<RawReport> Recorder::reports_of(LaunchId id) const {
  std::vector<RawReport> of = reports();
  of.erase(std::remove_if(of.begin(), of.end(), [id](const RawReport& each) { return each.id != id; }),
           of.end());
  return of;
}

std::vector<Dropped> Recorder::dropped() const {
  const std::lock_guard lock(mutex_);
  return dropped_;
}

std::vector<HostCallSeen> Recorder::calls() const {
  const std::lock_guard lock(mutex_);
  return calls_;
}

bool Recorder::wait(Deadline deadline, const std::function<bool()>& enough) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline.when(), enough);
}

bool Recorder::wait_seen(LaunchId id, Deadline deadline, const std::function<bool(const Seen&)>& enough) {
  return wait(deadline, [&] { return enough(seen_[id]); });
}

bool Recorder::wait_reports(Deadline deadline,
                            const std::function<bool(const std::vector<RawReport>&)>& enough) {
  return wait(deadline, [&] { return enough(reports_); });
}

void Recorder::add(const std::string& event, const std::function<void()>& change) {
  {
    const std::lock_guard lock(mutex_);
    change();
    if (!event.empty()) note_(event);
  }
  changed_.notify_all();
}

}  // namespace hostmesh::conformance
