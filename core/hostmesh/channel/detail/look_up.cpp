#include "hostmesh/channel/detail/look_up.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>

#include <memory>
#include <optional>

namespace hostmesh::detail {

namespace {

std::optional<std::string> ip_of(const addrinfo& info) {
  char text[INET6_ADDRSTRLEN];
  const void* binary = nullptr;
  if (info.ai_family == AF_INET) {
    binary = &reinterpret_cast<const sockaddr_in*>(info.ai_addr)->sin_addr;
  } else if (info.ai_family == AF_INET6) {
    binary = &reinterpret_cast<const sockaddr_in6*>(info.ai_addr)->sin6_addr;
  }
  if (binary == nullptr || ::inet_ntop(info.ai_family, binary, text, sizeof text) == nullptr)
    return std::nullopt;
  return std::string(text);
}

}  // namespace

Result<std::vector<std::string>> look_up_host(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* found = nullptr;
  const int failure = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owner(found, &::freeaddrinfo);
  if (failure != 0) {
    return Error(Cause::kUnroutable,
                 "no address is known for host '" + host + "': " + std::string(::gai_strerror(failure)));
  }
  std::vector<std::string> all;
  for (const addrinfo* each = found; each != nullptr; each = each->ai_next) {
    if (auto ip = ip_of(*each)) all.push_back(*std::move(ip));
  }
  return all;
}

}  // namespace hostmesh::detail
