// ActorTable: which actors may be spawned by name in processes of a program.
//
// A value, filled in main and handed down; there is no registration behind the scenes.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "hostmesh/actor/detail/typed_actor.hpp"

namespace hostmesh {

// What make() and spawn_by_type() take: the constructor's arguments, with the exact types that add() was
// told.
template <class... CtorArgs>
Bytes actor_params(const CtorArgs&... args) {
  return wire::encode(std::tuple<CtorArgs...>(args...));
}

class ActorTable {
 public:
  // CtorArgs: the types of A's constructor's arguments, as they travel; without any, those of A::Parameters
  // where A declares one (`using Parameters = std::tuple<...>`). A name that is taken is a bug.
  template <class A, class... CtorArgs>
  void add(std::string type_name) {
    if constexpr (sizeof...(CtorArgs) == 0 && requires { typename A::Parameters; }) {
      add_factory(std::move(type_name), &make_from<A, typename A::Parameters>);
    } else {
      add_factory(std::move(type_name), &make_from<A, std::tuple<CtorArgs...>>);
    }
  }

  // An unknown name: Cause::kInvalidArgument, with the names that are known. What the constructor throws
  // comes back as an error.
  Result<detail::TypedActor> make(std::string_view type_name, ByteView params) const;
  std::vector<std::string> names() const;

 private:
  using Factory = std::function<Result<detail::TypedActor>(ByteView)>;

  template <class A, class Tuple>
  static Result<detail::TypedActor> make_from(ByteView params) {
    auto args = wire::decode<Tuple>(params);
    if (!args) return args.error();
    return detail::typed_actor(
        std::apply([](auto&... each) { return std::make_unique<A>(std::move(each)...); }, *args));
  }
  void add_factory(std::string type_name, Factory factory);

  std::map<std::string, Factory, std::less<>> factories_;
};

}  // namespace hostmesh
