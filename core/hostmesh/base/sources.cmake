hostmesh_room(base SOURCES asio.cpp config.cpp deadline.cpp error.cpp fault.cpp fd.cpp foreign_code.cpp ids.cpp
  log.cpp reactor.cpp secret.cpp text.cpp thread.cpp)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/hostmesh/base/asio.cpp PROPERTIES SKIP_PRECOMPILE_HEADERS ON)
