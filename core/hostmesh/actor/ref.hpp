// References to actors and ports that know what may be sent there. Values; they travel in messages as the
// text of their id.
//
// The type is a promise of whoever made the reference: the wire carries the id alone. What an actor does not
// handle is refused by it, with an error that says so.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include "hostmesh/actor/ids.hpp"
#include "hostmesh/channel/connection.hpp"
#include "hostmesh/wire/message.hpp"

namespace hostmesh {

// In an actor class: using Handles = Messages<Increment, Read>;
template <class... M>
struct Messages {};

namespace detail {
template <class M, class List>
inline constexpr bool lists = false;
template <class M, class... All>
inline constexpr bool lists<M, Messages<All...>> = (std::is_same_v<M, All> || ...);
}  // namespace detail

template <class A, class M>
concept HandledBy = detail::lists<M, typename A::Handles>;

// A message whose `static constexpr bool kBulk` is true yields to all others on its way; order holds among
// its like.
template <class M>
constexpr SendClass send_class_of() {
  if constexpr (requires { M::kBulk; }) {
    return M::kBulk ? SendClass::kBulk : SendClass::kControl;
  } else {
    return SendClass::kControl;
  }
}

template <class T>
class PortRef {
 public:
  PortRef() = default;
  // Unchecked: nothing verifies that a T is expected there.
  static PortRef attest(PortId id) { return PortRef(std::move(id)); }
  static Result<PortRef> parse(std::string_view text) {
    auto id = PortId::parse(text);
    if (!id) return id.error();
    return PortRef(*std::move(id));
  }
  const PortId& id() const { return id_; }
  std::string text() const { return id_.text(); }
  auto operator<=>(const PortRef&) const = default;

 private:
  explicit PortRef(PortId id) : id_(std::move(id)) {}
  PortId id_;
};

template <class A>
class ActorRef {
 public:
  ActorRef() = default;
  // Unchecked: nothing verifies that an A lives there.
  static ActorRef attest(ActorId id) { return ActorRef(std::move(id)); }
  static Result<ActorRef> parse(std::string_view text) {
    auto id = ActorId::parse(text);
    if (!id) return id.error();
    return ActorRef(*std::move(id));
  }
  const ActorId& id() const { return id_; }
  std::string text() const { return id_.text(); }
  // Where this actor takes its messages M, for those who are to know no more of it.
  template <class M>
  PortRef<M> port() const {
    static_assert(HandledBy<A, M>, "the actor's Handles does not list this message");
    return PortRef<M>::attest(PortId{id_, wire::message_port<M>()});
  }
  auto operator<=>(const ActorRef&) const = default;

 private:
  explicit ActorRef(ActorId id) : id_(std::move(id)) {}
  ActorId id_;
};

}  // namespace hostmesh

template <class T>
struct std::hash<hostmesh::PortRef<T>> {
  std::size_t operator()(const hostmesh::PortRef<T>& ref) const noexcept {
    return std::hash<hostmesh::PortId>()(ref.id());
  }
};
template <class A>
struct std::hash<hostmesh::ActorRef<A>> {
  std::size_t operator()(const hostmesh::ActorRef<A>& ref) const noexcept {
    return std::hash<hostmesh::ActorId>()(ref.id());
  }
};
