// Everything that a client program needs.
#pragma once

#include "hostmesh/actor/actor.hpp"
#include "hostmesh/actor/context.hpp"
#include "hostmesh/actor/reply.hpp"
#include "hostmesh/actor/table.hpp"
#include "hostmesh/bootstrap/allocator.hpp"
#include "hostmesh/bootstrap/runtime.hpp"
#include "hostmesh/mesh/actor_mesh.hpp"
#include "hostmesh/mesh/child_main.hpp"
#include "hostmesh/mesh/host_mesh.hpp"
#include "hostmesh/mesh/proc_mesh.hpp"
