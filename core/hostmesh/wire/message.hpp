// The name of a message type, and the port number that stands for it on the wire.
//
// A message that programs of different compilers exchange, or that may be renamed in the source one day, says
// its name itself: static constexpr std::string_view kMessage = "create_procs";
#pragma once

#include <cstdint>
#include <string_view>

#include "hostmesh/base/ids.hpp"

namespace hostmesh::wire {

namespace detail {

template <class T>
constexpr std::string_view signature() {
  return __PRETTY_FUNCTION__;  // g++: "... [with T = X; std::string_view = ...]"; clang: "... [T = X]"
}

}  // namespace detail

// As written in the source, with namespaces.
template <class T>
constexpr std::string_view type_name() {
  std::string_view text = detail::signature<T>();
  text.remove_prefix(text.find("T = ") + 4);
  const std::size_t more = text.find(';');
  return text.substr(0, more != std::string_view::npos ? more : text.size() - 1);
}

template <class T>
constexpr std::string_view message_name() {
  if constexpr (requires { std::string_view(T::kMessage); }) {
    return T::kMessage;
  } else {
    return type_name<T>();
  }
}

// Bit 63 tells the ports of message types from those that are opened one by one.
inline constexpr std::uint64_t kMessagePortBit = std::uint64_t{1} << 63;

template <class T>
constexpr std::uint64_t message_port() {
  return fnv1a64(message_name<T>()) | kMessagePortBit;
}

}  // namespace hostmesh::wire
