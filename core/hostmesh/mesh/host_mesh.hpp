// HostMesh: hosts, from an allocation, that procs can be put on. The owner of all that runs there.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "hostmesh/alloc/alloc.hpp"
#include "hostmesh/base/cancel.hpp"
#include "hostmesh/bootstrap/allocator.hpp"
#include "hostmesh/bootstrap/runtime.hpp"
#include "hostmesh/mesh/host_ref.hpp"
#include "hostmesh/mesh/proc_mesh.hpp"
#include "hostmesh/process/environment.hpp"

namespace hostmesh {

struct AllocateOptions {
  Duration within = std::chrono::seconds(60);  // for every host to be ready
  // Each event of the allocation, for as long as the mesh lives. On the reactor.
  std::function<void(const ProcState&)> on_state{};
  // How many of so many hosts are ready, whenever that changes. On the reactor.
  std::function<void(std::uint64_t ready, std::uint64_t total)> on_progress{};
  std::shared_ptr<Cancel> cancel{};  // ends the wait with kCancelled
};

struct ProcOptions {
  // Set: the procs are this plain command; otherwise `bootstrap`, which must call bootstrap_if_child().
  std::optional<BootstrapCommand> command{};
  BootstrapCommand bootstrap = BootstrapCommand::stock();
  // What becomes of a command's stderr. kWithStdout: it has one pipe for both streams, so that on_output gets
  // all as kStdout, in the order of its writes.
  ProcTemplate::Stderr stderr_use = ProcTemplate::Stderr::kOwn;
  // Which variables of the command's, or the program's, `environment` are passed on.
  Export exported{};
  // For all procs to be running: altogether, and without any news at all. Unset: MESH_PROC_SPAWN_MAX_IDLE for
  // both.
  std::optional<Duration> within{};
  std::optional<Duration> max_idle{};
  // What commands write, and their ends; see ProcOutput. On the reactor, and it must not wait: hand it on,
  // and say ProcMesh::output_taken() when it is taken.
  std::function<void(ProcOutput)> on_output{};
  // Each change of a proc. On the reactor.
  std::function<void(const ProcChange&)> on_change{};
  std::shared_ptr<Cancel> cancel{};  // ends the wait with kCancelled
};

// Movable. Calls that wait throw Error and may be made on any thread but the reactor's, one at a time.
class HostMesh {
 public:
  // Turns each proc of the allocation into a host. When one cannot be, or the time is over, what runs is
  // stopped and the Error names the ranks that were missing, in which phase, on what evidence.
  static HostMesh allocate(Runtime& runtime, std::unique_ptr<Alloc> alloc, std::string_view name,
                           AllocateOptions options = {});
  HostMesh(HostMesh&&) noexcept;
  HostMesh& operator=(HostMesh&&) noexcept;
  // The safety net for what shutdown() was not called for: hosts are told to go and given two seconds; does
  // not wait.
  ~HostMesh();

  const HostMeshRef& ref() const;
  const Extent& extent() const;
  // Where host `rank` runs, for people: "node (pid 12)".
  std::string host_text(Rank rank) const;

  // Procs on every host: ranks are row-major over this mesh's extent followed by `per_host`; labels must
  // differ. An empty per_host is one proc a host. Returns when all are running. If one fails or the time is
  // over, all are stopped again and the Error carries every rank's status.
  ProcMesh spawn(std::string_view name, const Extent& per_host, ProcOptions options = {});

  // The procs' states as their hosts know them now; ranks whose host does not answer are Timeout or Failed.
  StatusMesh proc_states(const ProcMesh& procs);
  // As ProcMesh::stop.
  std::vector<ProcChange> stop_proc_mesh(ProcMesh& procs, std::optional<Duration> grace = std::nullopt);

  // All procs everywhere, then all hosts: TERM, wait, KILL, all hosts at once. Returns when nothing is left.
  // Idempotent. Throws Error at the end when a host could not be stopped in order; then it was killed.
  // Returns what commands had left running, which is killed with their hosts; none of hosts inside this
  // process.
  std::vector<LeftBehind> shutdown();
  // The same at once, with KILL. Any thread, also while another is in shutdown(); does not wait.
  void kill();

 private:
  struct Impl;
  explicit HostMesh(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;
};

}  // namespace hostmesh
