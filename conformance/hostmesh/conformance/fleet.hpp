// Fleet: a runtime whose allocator is the plugin under test. What a client of hostmesh sees of a plugin, as
// opposed to Probe, which sees every single report. Works for allocators of every kind.
//
//   Fleet fleet(stage);
//   Fleet::Allocation procs = fleet.allocate({.extent = {{"x", 4}}});
//   procs.await_running();
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "hostmesh/conformance/stage.hpp"
#include "hostmesh/mesh/host_mesh.hpp"

namespace hostmesh::conformance {

// For a person: "rank 2 Created as 1a2b, pid 12 on this_node".
std::string text_of(const ProcState& state);

// Used on the case's thread; what it waits for is bounded by the case's deadline.
class Fleet {
 public:
  class Allocation;

  explicit Fleet(Stage& stage);

  // The payload as the child: a good one, or what the scenario says.
  BootstrapCommand child(const std::vector<std::string>& scenario = {}) const;
  Allocation allocate(AllocSpec spec);
  Allocation allocate(AllocSpec spec, BootstrapCommand command);
  // The mesh of it, with its events noted.
  HostMesh host_mesh(AllocSpec spec);
  // Procs of the mesh, which are payloads.
  ProcMesh procs(HostMesh& mesh, const Extent& per_host);

  Stage& stage() { return stage_; }
  Runtime& runtime() { return runtime_; }

 private:
  std::unique_ptr<Alloc> make(AllocSpec spec, BootstrapCommand command);

  Stage& stage_;
  Runtime runtime_;
};

// One allocation and the states that it has told so far.
class Fleet::Allocation {
 public:
  Allocation(Stage& stage, std::unique_ptr<Alloc> alloc) : stage_(stage), alloc_(std::move(alloc)) {}

  Alloc& alloc() { return *alloc_; }
  const std::vector<ProcState>& states() const { return states_; }
  template <class State>
  std::vector<State> of() const {
    std::vector<State> found;
    for (const ProcState& each : states_) {
      if (const auto* state = std::get_if<State>(&each)) found.push_back(*state);
    }
    return found;
  }

  // The next state; none at the end of the stream. Fails the case when nothing comes.
  std::optional<ProcState> next();
  // Until every rank runs. Fails the case when one ends before.
  void await_running();
  // Until the stream has ended.
  void await_end();
  // Lets go of it, without a stop.
  void drop() { alloc_.reset(); }
  // "12 states: ..." in short, for what was seen.
  std::string text() const;

 private:
  Stage& stage_;
  std::unique_ptr<Alloc> alloc_;
  std::vector<ProcState> states_;
};

// What holds for every allocation, in any order of ranks: each key is Created first and once, Running at most
// once, Stopped at most once and last. Fails the case.
void expect_in_order(Stage& stage, const std::vector<ProcState>& states);
// Also that each that was Created was Stopped, as at the end of a stream.
void expect_complete(Stage& stage, const std::vector<ProcState>& states);

}  // namespace hostmesh::conformance
