// Controller: a process that uses the plugin as a client would, and is then killed without a warning.
//
//   Controller controller(stage, [](Stage& its, const Controller::Told& told) {
//     Probe probe(its);
//     probe.launch_ready(its.payload({"until-stdin-ends", "0"}));
//     told();
//     Controller::wait_to_be_killed();
//   });
//   controller.kill();
//   expect_nobody_left(stage);
//
// A copy of the case's process, so it must be made before the case has loaded the plugin or started a thread.
#pragma once

#include <sys/types.h>

#include <functional>

#include "hostmesh/base/fd.hpp"
#include "hostmesh/conformance/stage.hpp"

namespace hostmesh::conformance {

class Controller {
 public:
  using Told = std::function<void()>;

  Controller(Stage& stage, const std::function<void(Stage&, const Told&)>& work);
  ~Controller();
  Controller(const Controller&) = delete;
  Controller& operator=(const Controller&) = delete;

  // Waits until it has called `told`, for so long more, then kills it with KILL.
  void kill(Duration later = Duration::zero());

  [[noreturn]] static void wait_to_be_killed();

 private:
  Stage& stage_;
  pid_t pid_ = 0;
  UniqueFd told_;
};

// Whatever the controllers have started ends within a short time; fails the case, and kills it, when not.
void expect_nobody_left(Stage& stage);

}  // namespace hostmesh::conformance
