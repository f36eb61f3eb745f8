// What HostMesh and the ProcMeshes on it share. Private to mesh/.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>

#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/mesh/gather.hpp"
#include "hostmesh/mesh/host_mesh.hpp"

namespace hostmesh {

// The hosts as the client sees them. Shared with what outlives the HostMesh; the allocation itself is not in
// here.
struct HostTable {
  struct Host {
    HostRef ref;
    std::string node;
    std::int64_t pid = 0;
    std::optional<StopReason> ended;
  };
  Runtime& runtime;
  mutable std::mutex mutex;
  std::vector<Host> hosts;
  // Told when a host has ended. Reactor thread only.
  std::vector<std::weak_ptr<ProcMesh::Impl>> proc_meshes;

  explicit HostTable(Runtime& its_runtime) : runtime(its_runtime) {}
  std::string text(Rank rank) const;
};

struct ProcMesh::Impl : std::enable_shared_from_this<ProcMesh::Impl> {
  Impl(std::shared_ptr<HostTable> its_hosts, std::string its_name, Extent its_extent,
       std::uint64_t its_per_host, ProcOptions its_options);

  // Reactor thread.
  void apply(const ProcChange& change);
  void take(ProcOutput output);
  void host_ended(Rank host, const StopReason& reason);

  Rank first_rank(Rank host) const { return host * per_host; }
  Rank host_of(Rank rank) const { return rank / per_host; }

  const std::shared_ptr<HostTable> hosts;
  const std::string name;
  const Extent extent;
  const std::uint64_t per_host;
  const ProcOptions options;

  mutable std::mutex mutex;
  std::condition_variable changed;
  std::vector<ProcChange> procs;
  std::vector<bool> ended;     // its kEnd has been given out
  std::uint64_t pending = 0;   // ranks that are neither running nor have ended
  std::uint64_t failures = 0;  // ranks that ended before they were running, or failed
  std::uint64_t news = 0;      // counts changes, for idle time
  std::vector<PortHandle> ports;
};

}  // namespace hostmesh
