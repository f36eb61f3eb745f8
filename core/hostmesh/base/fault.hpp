// Fault points: what a machine refuses rarely, refused on purpose, so that every such refusal can be tried.
//
// Compiled into every build, off unless HOSTMESH_FAULT is set when the process starts:
//
//   HOSTMESH_FAULT=ROLE:POINT:N     the N-th creation of that kind fails, counted from 1
//   HOSTMESH_FAULT=ROLE:POINT:N+    and all after it
//
// ROLE is client, host or proc; POINT is thread or process. What it means beyond tests is nothing: do
// not set it.
#pragma once

#include <cstdint>
#include <string_view>

namespace hostmesh::fault {

enum class Point : std::uint8_t { kThread, kProcess };

// What this process is from here on; before the first call it is a client. Not to be called while others may
// be at next().
void set_role(std::string_view role);

// Replaces what the environment said, and counts from 0 again; "" is nothing. For a test within its process,
// not to be called while others may be at next().
void set_plan(std::string_view text);

// Any thread. Counts one creation and returns 0, or the errno with which it is to fail.
int next(Point point);

}  // namespace hostmesh::fault
