#include "hostmesh/actor/reply.hpp"

#include "hostmesh/actor/detail/cell.hpp"
#include "hostmesh/actor/detail/token_state.hpp"

namespace hostmesh::detail {

ReplyToken::ReplyToken() = default;
ReplyToken::ReplyToken(std::unique_ptr<State> state) : state_(std::move(state)) {}
ReplyToken::ReplyToken(ReplyToken&&) noexcept = default;

ReplyToken& ReplyToken::operator=(ReplyToken&& other) noexcept {
  if (this == &other) return *this;
  ReplyToken dropped(std::move(state_));
  state_ = std::move(other.state_);
  return *this;
}

ReplyToken::~ReplyToken() {
  if (!state_) return;
  if (const auto cell = state_->cell.lock()) {
    cell->answer_dropped(std::move(state_));
  } else {
    fail(Error(Cause::kActorGone, "actor " + state_->actor.text() + " is gone"));
  }
}

void ReplyToken::answer(Bytes payload) {
  if (!state_) return;
  const auto state = std::move(state_);
  if (const auto system = state->system.lock()) {
    system->run(Answer{state->origin, EnvelopeKind::kReply, std::move(payload)});
  }
}

void ReplyToken::fail(const Error& error) {
  if (!state_) return;
  const auto state = std::move(state_);
  if (const auto system = state->system.lock()) {
    system->run(Answer{state->origin, EnvelopeKind::kError, wire::encode(error)});
  }
}

void ReplyToken::owe(const std::shared_ptr<Cell>& cell) {
  if (state_) state_->cell = cell;
}

}  // namespace hostmesh::detail
