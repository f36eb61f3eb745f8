// From typed handlers to a table of functions: what the untyped machinery knows of an actor class.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "hostmesh/actor/actor.hpp"

namespace hostmesh::detail {

struct MessageHandler {
  std::uint64_t port;
  std::string_view message;
  // An error when the payload is not such a message. Exceptions are the handler's.
  Result<> (*invoke)(Actor& actor, Context& context, ByteView payload, ReplyToken& token);
};

struct ActorType {
  std::string_view name;
  std::span<const MessageHandler> handlers;
};

struct TypedActor {
  std::unique_ptr<Actor> actor;
  const ActorType* type = nullptr;
};

template <class M>
concept Callable = requires {
  typename M::Reply;
};

template <class A, class M>
concept AnswersLater = Callable<M> && requires(A& actor, Context& context, const M& message) {
  actor.handle(context, message, hostmesh::Reply<typename M::Reply>());
};

template <class A, class M>
void handle_call(A& actor, Context& context, const M& message, ReplyToken& token) {
  using R = typename M::Reply;
  if constexpr (AnswersLater<A, M>) {
    actor.handle(context, message, hostmesh::Reply<R>(std::move(token)));
  } else {
    using Returned = decltype(actor.handle(context, message));
    if constexpr (std::is_void_v<R> && std::is_void_v<Returned>) {
      actor.handle(context, message);
      token.answer({});
    } else if constexpr (std::is_same_v<Returned, Result<R>>) {
      Returned result = actor.handle(context, message);
      if (!result) {
        token.fail(result.error());
      } else if constexpr (std::is_void_v<R>) {
        token.answer({});
      } else {
        token.answer(wire::encode<R>(*result));
      }
    } else {
      token.answer(wire::encode<R>(actor.handle(context, message)));
    }
  }
}

template <class A, class M>
Result<> invoke(Actor& base, Context& context, ByteView payload, ReplyToken& token) {
  const Result<M> message = wire::decode<M>(payload);
  if (!message) return message.error();
  A& actor = static_cast<A&>(base);
  if constexpr (Callable<M>) {
    handle_call<A, M>(actor, context, *message, token);
  } else {
    actor.handle(context, *message);
  }
  return {};
}

template <class A, class List>
struct HandlerTable;
template <class A, class... M>
struct HandlerTable<A, Messages<M...>> {
  static constexpr std::array<MessageHandler, sizeof...(M)> kHandlers = {
      MessageHandler{wire::message_port<M>(), wire::message_name<M>(), &invoke<A, M>}...};
};

template <class A>
const ActorType& actor_type() {
  static_assert(std::is_base_of_v<Actor, A>);
  static constexpr ActorType kType{wire::type_name<A>(), HandlerTable<A, typename A::Handles>::kHandlers};
  return kType;
}

template <class A>
TypedActor typed_actor(std::unique_ptr<A> actor) {
  return TypedActor{std::move(actor), &actor_type<A>()};
}

}  // namespace hostmesh::detail
