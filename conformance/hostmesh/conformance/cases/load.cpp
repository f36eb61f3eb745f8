// Group load: the plugin's file, its description, its instances.
#include <filesystem>
#include <iterator>

#include "hostmesh/conformance/cases/cases.hpp"
#include "hostmesh/conformance/probe.hpp"

namespace hostmesh::conformance {

namespace {

constexpr int kInstances = 10;

// The first case of all: without it nothing else is tried.
void accepted(Stage& stage) {
  stage.subject();
}

void instances_apart(Stage& stage) {
  Probe first(stage);
  Probe second(stage);
  first.launch_ready(stage.payload({"until-stdin-ends", "3"}));
  const LaunchId of_second = second.launch_ready(stage.payload({"until-stdin-ends", "4"}));

  first.destroy();
  second.close_stdin(of_second);

  const Seen seen = second.await_end(of_second);
  stage.equal("the end of what the second instance launched", seen.status, ExitStatus::exited(4));
}

void made_again(Stage& stage) {
  for (int i = 0; i < kInstances; ++i) {
    Probe probe(stage);
    probe.destroy();
  }
  Probe probe(stage);
  const LaunchId launch = probe.launch(stage.payload({"exit", "0"}));
  stage.equal("the end of a launch by the eleventh instance", probe.await_end(launch).status,
              ExitStatus::exited(0));
}

std::size_t open_descriptors() {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {}));
}

void nothing_grows(Stage& stage) {
  const auto round = [&stage] {
    Probe probe(stage);
    probe.await_end(probe.launch(stage.payload({"exit", "0"})));
  };
  round();  // what is opened once and kept
  const std::size_t before = open_descriptors();

  for (int i = 0; i < kInstances; ++i) round();

  const std::size_t after = open_descriptors();
  stage.expect(after < before + kInstances, "descriptors are given back with their instance",
               std::to_string(before) + " are open before " + std::to_string(kInstances) + " instances, " +
                   std::to_string(after) + " after them");
}

}  // namespace

const std::vector<Case>& load_cases() {
  static const std::vector<Case> cases = {
      {.id = "load.accepted",
       .sentence = "The file is a plugin that a host accepts: safe to load, of a known ABI version, with a "
                   "description "
                   "that makes sense.",
       .rule = "abi.h, hostmesh_plugin_entry_function and hostmesh_description",
       .run = accepted},
      {.id = "load.instances-apart",
       .sentence =
           "Instances know nothing of each other: when one is destroyed, the other's launches live on.",
       .needs = needs::kProcesses | needs::kLifeline | needs::kOutput | needs::kExitStatus,
       .rule = "abi.h, hostmesh_instance",
       .run = instances_apart,
       .builds_on = "order.every-launch-ends"},
      {.id = "load.made-again",
       .sentence = "Instances can be made and destroyed again and again, used or not.",
       .needs = needs::kProcesses | needs::kExitStatus,
       .rule = "abi.h, create and destroy",
       .run = made_again,
       .builds_on = "order.every-launch-ends"},
      {.id = "load.nothing-grows",
       .sentence = "An instance gives its descriptors back when it is destroyed.",
       .needs = needs::kProcesses,
       .rule = "abi.h, destroy",
       .run = nothing_grows,
       .builds_on = "order.every-launch-ends"},
  };
  return cases;
}

}  // namespace hostmesh::conformance
