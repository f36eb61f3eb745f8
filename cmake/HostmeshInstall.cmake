# What `cmake --install` puts where. The layout is a promise (docs/architecture.md), and fixed within the prefix: the
# programs and the library find each other by their places relative to one another, so that a prefix can be moved.
# Hence `lib` and `bin` here, and not the folders that a distribution would choose. The stock plugins install
# themselves (allocators/).
include(CMakePackageConfigHelpers)

set(package_folder lib/cmake/hostmesh)
set(include_folder include)
set(library_folder lib)

hostmesh_install_targets(hostmesh-cli EXPORT hostmeshPluginTargets RUNTIME DESTINATION bin)
hostmesh_install_targets(hostmesh-bootstrap hostmesh-bootstrap-tls RUNTIME DESTINATION bin)
hostmesh_install_targets(hostmesh-client hostmesh-plugin-probe RUNTIME DESTINATION libexec/hostmesh)
hostmesh_install_targets(hostmesh EXPORT hostmeshClientTargets LIBRARY DESTINATION lib)
# What a plugin's own test program links. It stands on libhostmesh, which lies beside it, and asks for no headers of it.
hostmesh_install_targets(hostmesh_conformance LIBRARY DESTINATION lib)
hostmesh_install_targets(hostmesh-payload RUNTIME DESTINATION libexec/hostmesh)
install(FILES conformance/hostmesh/conformance/conformance.hpp conformance/hostmesh/conformance/visibility.hpp
  DESTINATION ${include_folder}/hostmesh/conformance)
add_library(hostmesh_plugin_headers INTERFACE)
set_target_properties(hostmesh_plugin_headers PROPERTIES EXPORT_NAME plugin)
target_compile_features(hostmesh_plugin_headers INTERFACE cxx_std_20)
target_include_directories(hostmesh_plugin_headers INTERFACE $<INSTALL_INTERFACE:${include_folder}>)
install(TARGETS hostmesh_plugin_headers EXPORT hostmeshPluginTargets)

# The headers: what programs and plugins include, and what those include in turn.
set(header_roots hostmesh/hostmesh.hpp hostmesh/plugin/sdk.hpp)
configure_file(${CMAKE_CURRENT_LIST_DIR}/package/install_headers.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/package/install_headers.cmake @ONLY)
install(SCRIPT ${CMAKE_CURRENT_BINARY_DIR}/package/install_headers.cmake)

# The package.
file(STRINGS core/hostmesh/plugin/abi.h abi_line REGEX "^#define HOSTMESH_ABI_VERSION ")
string(REGEX REPLACE "[^0-9]*([0-9]+)u.*" "\\1" hostmesh_abi_version "${abi_line}")
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/package/hostmeshConfig.cmake.in
  ${CMAKE_CURRENT_BINARY_DIR}/package/hostmeshConfig.cmake
  INSTALL_DESTINATION ${package_folder} PATH_VARS include_folder library_folder)
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/package/hostmeshConfigVersion.cmake
  COMPATIBILITY SameMajorVersion)
install(FILES
  ${CMAKE_CURRENT_BINARY_DIR}/package/hostmeshConfig.cmake
  ${CMAKE_CURRENT_BINARY_DIR}/package/hostmeshConfigVersion.cmake
  ${CMAKE_CURRENT_LIST_DIR}/HostmeshPlugin.cmake
  ${CMAKE_CURRENT_LIST_DIR}/HostmeshPlugin.map
  DESTINATION ${package_folder})
install(EXPORT hostmeshPluginTargets NAMESPACE hostmesh:: DESTINATION ${package_folder})
install(EXPORT hostmeshClientTargets NAMESPACE hostmesh:: DESTINATION ${package_folder})

# How to begin: the script, and the samples that it copies and docs/writing-an-allocator.md speaks of.
install(PROGRAMS tools/new-allocator DESTINATION bin RENAME hostmesh-new-allocator)
install(DIRECTORY examples/counter examples/my_allocator examples/c_allocator DESTINATION share/hostmesh/examples)
install(FILES LICENSE DESTINATION share/doc/hostmesh)
install(DIRECTORY docs/ DESTINATION share/doc/hostmesh FILES_MATCHING PATTERN "*.md")
