# Code that is shared between plugins.
file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/shared.cpp "#include <hostmesh/plugin/sdk.hpp>\n")
add_library(shared OBJECT ${CMAKE_CURRENT_BINARY_DIR}/shared.cpp)
target_link_libraries(shared PRIVATE hostmesh::plugin)
