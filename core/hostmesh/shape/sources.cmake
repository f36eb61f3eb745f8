hostmesh_room(shape SOURCES extent.cpp ranks_text.cpp region.cpp scanner.cpp slice.cpp status.cpp)
