hostmesh_room(shape SOURCES extent.cpp region.cpp scanner.cpp slice.cpp status.cpp)
