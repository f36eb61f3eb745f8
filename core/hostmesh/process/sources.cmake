hostmesh_room(process SOURCES adopted_reaper.cpp channel_opening.cpp child_process.cpp child_registry.cpp
  close_descriptors.cpp descendants.cpp environment.cpp exit_status.cpp fork_server.cpp keeper.cpp launch_pad.cpp
  launch_thread.cpp lines.cpp local_launcher.cpp orphan_reaper.cpp packet.cpp rlimit.cpp serve_forks.cpp spawn.cpp
  spawn_error.cpp sweep.cpp vfork_child.cpp pidfd.cpp stdin_writer.cpp)
