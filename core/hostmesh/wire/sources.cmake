hostmesh_room(wire SOURCES stream.cpp)
