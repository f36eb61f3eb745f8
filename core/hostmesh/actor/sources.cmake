hostmesh_room(actor
  SOURCES actor.cpp cell.cpp client.cpp context.cpp envelope.cpp ids.cpp instance.cpp link.cpp proc.cpp proc_core.cpp
    reply.cpp router.cpp system.cpp table.cpp worker_pool.cpp)
