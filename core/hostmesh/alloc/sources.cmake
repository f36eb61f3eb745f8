hostmesh_room(alloc SOURCES alloc.cpp child_log.cpp child_machine.cpp children.cpp proc_state.cpp spec.cpp)
