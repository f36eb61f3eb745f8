// Result<T>: a value or an Error, for everything inside the library that can fail in an expected way.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#include "hostmesh/base/error.hpp"

namespace hostmesh {

// Derived rather than aliased because tl::expected is not [[nodiscard]].
template <class T = void>
class [[nodiscard]] Result : public tl::expected<T, Error> {
 public:
  using tl::expected<T, Error>::expected;
  Result() = default;
  Result(Error error) : tl::expected<T, Error>(tl::unexpected<Error>(std::move(error))) {}
};

// The value, or the error thrown: the border between the inside and the client API.
template <class T>
T value_or_throw(Result<T> result) {
  if (!result) throw std::move(result).error();
  if constexpr (!std::is_void_v<T>) return *std::move(result);
}

}  // namespace hostmesh
