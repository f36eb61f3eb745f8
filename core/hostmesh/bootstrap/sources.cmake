hostmesh_room(bootstrap SOURCES allocator.cpp child.cpp gate.cpp messages.cpp orphans.cpp runtime.cpp)
