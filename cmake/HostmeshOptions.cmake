# Compiler settings that hold for everything in this tree, and the helpers that rooms, tests and installed targets are declared with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_C_STANDARD 11)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()
set(CMAKE_CXX_FLAGS_DEV "-O1 -g1 -D_GLIBCXX_ASSERTIONS")
set(CMAKE_C_FLAGS_DEV "-O1 -g1")
# What users run decodes bytes of other machines: a second line of defence, as Debian's packages have it.
# tests/install/hardened looks whether it is there.
set(hardening "-fstack-protector-strong -D_FORTIFY_SOURCE=2")
if(CMAKE_SYSTEM_PROCESSOR STREQUAL "x86_64")
  string(APPEND hardening " -fcf-protection")
endif()
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O2 -g1 ${hardening}")
set(CMAKE_C_FLAGS_RELWITHDEBINFO "-O2 -g1 ${hardening}")
foreach(kind EXE SHARED MODULE)
  set(CMAKE_${kind}_LINKER_FLAGS_RELWITHDEBINFO "-Wl,-z,relro -Wl,-z,now")
endforeach()

set(HOSTMESH_SANITIZE "" CACHE STRING "sanitizers to build with: address,undefined or thread")
option(HOSTMESH_TIDY "run clang-tidy with every compilation" OFF)

find_program(HOSTMESH_CCACHE ccache)
if(HOSTMESH_CCACHE)
  # time_macros,pch_defines: what ccache needs to serve translation units that use a precompiled header.
  set(launcher ${CMAKE_COMMAND} -E env CCACHE_SLOPPINESS=pch_defines,time_macros ${HOSTMESH_CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${launcher})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${launcher})
endif()
find_program(HOSTMESH_MOLD mold)
if(HOSTMESH_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
if(HOSTMESH_TIDY)
  find_program(HOSTMESH_CLANG_TIDY clang-tidy REQUIRED)
  set(CMAKE_CXX_CLANG_TIDY ${HOSTMESH_CLANG_TIDY} --quiet)
endif()

# Everything lands in one lib/bin tree that has the shape of an installed one.
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(CMAKE_ARCHIVE_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/lib)
set(HOSTMESH_PLUGIN_DIRECTORY ${CMAKE_BINARY_DIR}/lib/hostmesh/plugins)

add_library(hostmesh_options INTERFACE)
target_compile_options(hostmesh_options INTERFACE
  -Wall -Wextra -Wshadow -Wformat=2
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual> -Wimplicit-fallthrough
  -Wunused-result -Werror
  $<$<CXX_COMPILER_ID:GNU>:-Wduplicated-cond -Wlogical-op
    # False alarms of g++ 12 inside libstdc++ and Boost headers.
    -Wno-maybe-uninitialized -Wno-array-bounds -Wno-restrict -Wno-stringop-overflow -Wno-stringop-overread>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-missing-field-initializers -Winvalid-pch>
  $<$<COMPILE_LANG_AND_ID:CXX,Clang>:-Wno-missing-field-initializers -Wno-unknown-warning-option>)
if(HOSTMESH_SANITIZE)
  add_compile_options(-fsanitize=${HOSTMESH_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${HOSTMESH_SANITIZE})
  if(HOSTMESH_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
  if(HOSTMESH_SANITIZE MATCHES "thread")
    add_compile_options($<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
  endif()
endif()

# The target `installed`: everything that `cmake --install` takes from the build, and nothing else.
add_custom_target(installed)

# hostmesh_install_targets(TARGET... options of install(TARGETS)): installs them and makes them part of `installed`.
function(hostmesh_install_targets)
  foreach(argument IN LISTS ARGV)
    if(NOT TARGET ${argument})
      break()
    endif()
    add_dependencies(installed ${argument})
  endforeach()
  install(TARGETS ${ARGV})
endfunction()

# hostmesh_room(NAME SOURCES a.cpp ...): adds a room's sources to the library.
function(hostmesh_room name)
  cmake_parse_arguments(ARG "" "" "SOURCES" ${ARGN})
  list(TRANSFORM ARG_SOURCES PREPEND "${CMAKE_CURRENT_SOURCE_DIR}/hostmesh/${name}/")
  target_sources(hostmesh_objects PRIVATE ${ARG_SOURCES})
endfunction()

# hostmesh_test(NAME SOURCES a_test.cpp ... [LABEL unit|system|network|slow] [LIBS ...] [TIMEOUT s] [LOCK name]): one
# program, one ctest entry per test case; of those with the same lock one runs at a time.
function(hostmesh_test name)
  cmake_parse_arguments(ARG "" "LABEL;TIMEOUT;LOCK" "SOURCES;LIBS" ${ARGN})
  if(NOT ARG_LABEL)
    set(ARG_LABEL unit)
  endif()
  if(NOT ARG_TIMEOUT)
    set(ARG_TIMEOUT 60)
  endif()
  set(lock)
  if(ARG_LOCK)
    set(lock RESOURCE_LOCK ${ARG_LOCK})
  endif()
  add_executable(${name} ${ARG_SOURCES})
  target_link_libraries(${name} PRIVATE hostmesh_test_support ${ARG_LIBS})
  target_precompile_headers(${name} REUSE_FROM hostmesh_test_support)
  # As the library that the precompiled header belongs to; g++ refuses it under the -fPIE of a program.
  target_compile_options(${name} PRIVATE -fPIC)
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
  gtest_discover_tests(${name} DISCOVERY_MODE PRE_TEST
    PROPERTIES LABELS ${ARG_LABEL} ${lock} TIMEOUT ${ARG_TIMEOUT} ENVIRONMENT "${HOSTMESH_TEST_ENVIRONMENT}")
endfunction()
