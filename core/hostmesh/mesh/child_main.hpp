// What a program does first, so that it can be launched as a proc of a mesh.
#pragma once

#include "hostmesh/actor/table.hpp"

namespace hostmesh {

// In a process that hostmesh launched: becomes a proc that `actors` can be spawned on, and never returns. In
// any other process: returns at once. Call it before starting threads.
void bootstrap_if_child(ActorTable actors = {});

}  // namespace hostmesh
