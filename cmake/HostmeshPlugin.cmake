# hostmesh_add_plugin(NAME source...): the allocator plugin libNAME.so, in C++20 against hostmesh/plugin/sdk.hpp alone.
#
# Only its entry point is visible; it stays mapped for the life of the process; a missing symbol is an error of the
# build, not of a user's first launch; and nobody but its owner can write to it, or it would be refused.
include_guard(GLOBAL)

function(hostmesh_add_plugin name)
  add_library(${name} MODULE ${ARGN})
  target_compile_features(${name} PRIVATE cxx_std_20)
  # Unique symbols are one for the whole process, RTLD_LOCAL or not; a plugin's are its own.
  target_compile_options(${name} PRIVATE $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-fno-gnu-unique>)
  set_target_properties(${name} PROPERTIES
    PREFIX lib SUFFIX .so
    CXX_VISIBILITY_PRESET hidden C_VISIBILITY_PRESET hidden VISIBILITY_INLINES_HIDDEN ON)
  if(HOSTMESH_PLUGIN_DIRECTORY)
    set_target_properties(${name} PROPERTIES LIBRARY_OUTPUT_DIRECTORY ${HOSTMESH_PLUGIN_DIRECTORY})
  endif()
  if(HOSTMESH_PLUGIN_INCLUDE_DIRECTORY)
    target_include_directories(${name} PRIVATE ${HOSTMESH_PLUGIN_INCLUDE_DIRECTORY})
  endif()
  find_package(Threads REQUIRED)
  target_link_libraries(${name} PRIVATE Threads::Threads)
  target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,-z,now)
  # The functions of a sanitizer are in the program, not in the plugin.
  if(NOT HOSTMESH_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_MODULE_LINKER_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND chmod go-w $<TARGET_FILE:${name}> $<TARGET_FILE_DIR:${name}> VERBATIM)
endfunction()
