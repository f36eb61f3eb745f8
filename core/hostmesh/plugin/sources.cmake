hostmesh_room(plugin SOURCES description.cpp host_context.cpp installation.cpp nearest_name.cpp plugin.cpp
  plugin_file.cpp plugin_launcher.cpp plugin_probe.cpp plugin_registry.cpp plugins_yaml.cpp)
set_source_files_properties(
  ${CMAKE_CURRENT_SOURCE_DIR}/hostmesh/plugin/plugin.cpp ${CMAKE_CURRENT_SOURCE_DIR}/hostmesh/plugin/host_context.cpp
  PROPERTIES COMPILE_DEFINITIONS "HOSTMESH_VERSION=\"${PROJECT_VERSION}\"")
