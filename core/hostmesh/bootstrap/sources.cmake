hostmesh_room(bootstrap SOURCES allocator.cpp child.cpp gate.cpp messages.cpp runtime.cpp)
