hostmesh_room(channel SOURCES
  addr.cpp bind_spec.cpp connection.cpp dial.cpp listener.cpp peer.cpp resolve.cpp stdio.cpp
  detail/connection_impl.cpp detail/connection_service.cpp detail/fd_stream.cpp detail/frame_reader.cpp
  detail/frame_writer.cpp detail/handshake.cpp detail/handshake_messages.cpp detail/local.cpp detail/look_up.cpp detail/session.cpp
  detail/session_core.cpp detail/session_records.cpp detail/session_wait.cpp detail/socket.cpp detail/stdio_stream.cpp detail/tls.cpp detail/tls_identity.cpp
  detail/tls_policy.cpp)
