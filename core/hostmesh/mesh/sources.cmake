hostmesh_room(mesh SOURCES child_main.cpp gather.cpp host.cpp host_agent.cpp host_failures.cpp host_mesh.cpp host_ref.cpp
  proc_agent.cpp proc_mesh.cpp trampoline.cpp)
