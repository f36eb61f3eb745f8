# hostmesh_add_plugin(NAME source... [CONFORMANCE ON|OFF] [CONFORMANCE_OPTIONS K=V...]): the allocator plugin
# libNAME.so, in C or in C++20, against hostmesh/plugin/abi.h or sdk.hpp alone. The same file here and in an
# installed package.
#
# Only its entry point is visible; it stays mapped for the life of the process; a missing symbol is an error of the
# build, not of a user's first launch; and nobody but its owner can write to it, or it would be refused.
#
# With CONFORMANCE, ctest gets NAME_conformance, which runs the conformance suite against the plugin, given its
# options. Default: HOSTMESH_CONFORMANCE, which is ON with an installed package and OFF in hostmesh's own tree.
include_guard(GLOBAL)

function(hostmesh_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 ARG "" "CONFORMANCE" "CONFORMANCE_OPTIONS")
  if(NOT ARG_UNPARSED_ARGUMENTS)
    message(FATAL_ERROR "hostmesh_add_plugin(${name}): it has no sources")
  endif()
  if(NOT DEFINED ARG_CONFORMANCE)
    set(ARG_CONFORMANCE ${HOSTMESH_CONFORMANCE})
  endif()

  add_library(${name} MODULE ${ARG_UNPARSED_ARGUMENTS})
  get_property(languages GLOBAL PROPERTY ENABLED_LANGUAGES)
  if("CXX" IN_LIST languages)
    target_compile_features(${name} PRIVATE cxx_std_20)
  endif()
  if("C" IN_LIST languages)
    target_compile_features(${name} PRIVATE c_std_11)
  endif()
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
  target_link_options(${name} PRIVATE -Wl,-z,nodelete -Wl,-z,now
    "-Wl,--version-script=${CMAKE_CURRENT_FUNCTION_LIST_DIR}/HostmeshPlugin.map")
  # The functions of a sanitizer are in the program, not in the plugin.
  if(NOT HOSTMESH_SANITIZE AND NOT CMAKE_CXX_FLAGS MATCHES "-fsanitize" AND NOT CMAKE_C_FLAGS MATCHES "-fsanitize"
      AND NOT CMAKE_MODULE_LINKER_FLAGS MATCHES "-fsanitize")
    target_link_options(${name} PRIVATE -Wl,--no-undefined)
  endif()
  add_custom_command(TARGET ${name} POST_BUILD
    COMMAND chmod go-w $<TARGET_FILE:${name}> $<TARGET_FILE_DIR:${name}> VERBATIM)

  if(ARG_CONFORMANCE)
    set(options "")
    if(HOSTMESH_SANITIZE)
      set(options --patience 10)
    endif()
    foreach(option IN LISTS ARG_CONFORMANCE_OPTIONS)
      list(APPEND options --option ${option})
    endforeach()
    add_test(NAME ${name}_conformance
      COMMAND hostmesh::cli conformance --plugin $<TARGET_FILE:${name}> ${options})
    set_tests_properties(${name}_conformance PROPERTIES LABELS conformance TIMEOUT 300)
  endif()
endfunction()
