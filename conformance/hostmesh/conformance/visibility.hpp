// What a program that links libhostmesh_conformance sees; all else of it is hidden.
#pragma once

#define HOSTMESH_CONFORMANCE_EXPORT __attribute__((visibility("default")))
