hostmesh_room(bootstrap SOURCES allocator.cpp child.cpp child_end.cpp exec_request.cpp gate.cpp in_process_launcher.cpp
  local_proc.cpp messages.cpp node.cpp orphans.cpp runtime.cpp tcp_names.cpp)
set_source_files_properties(${CMAKE_CURRENT_SOURCE_DIR}/hostmesh/bootstrap/exec_request.cpp
  PROPERTIES COMPILE_DEFINITIONS "HOSTMESH_VERSION=\"${PROJECT_VERSION}\"")
