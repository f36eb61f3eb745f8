// What a ReplyToken knows.
#pragma once

#include <memory>

#include "hostmesh/actor/detail/core.hpp"
#include "hostmesh/actor/reply.hpp"

namespace hostmesh::detail {

struct Cell;

struct ReplyToken::State {
  std::weak_ptr<SystemCore> system;
  CallOrigin origin;
  std::weak_ptr<Cell> cell;  // the actor that owes the answer
  ActorId actor;
};

}  // namespace hostmesh::detail
