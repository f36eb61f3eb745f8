#include "hostmesh/channel/addr.hpp"

#include <arpa/inet.h>
#include <sodium.h>

#include <array>
#include <charconv>
#include <cstring>
#include <optional>
#include <utility>

namespace hostmesh {

namespace {

constexpr std::size_t kRandomNameLength = 24;

std::string random_name() {
  constexpr std::string_view kAlphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  // Bytes beyond would make some letters likelier than others.
  constexpr std::size_t kFair = 256 / kAlphabet.size() * kAlphabet.size();
  std::string name;
  while (name.size() < kRandomNameLength) {
    std::array<std::uint8_t, kRandomNameLength + 8> bytes;  // rarely more than one call to the kernel
    ::randombytes_buf(bytes.data(), bytes.size());
    for (const std::uint8_t byte : bytes) {
      if (byte < kFair && name.size() < kRandomNameLength) name += kAlphabet[byte % kAlphabet.size()];
    }
  }
  return name;
}

Error invalid(std::string message) {
  return Error(Cause::kInvalidArgument, std::move(message));
}
Error bad_socket_address() {
  return invalid("invalid socket address syntax");
}

Result<std::uint64_t> parse_number(std::string_view text) {
  if (text.empty()) return invalid("cannot read a number from an empty string");
  std::uint64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (end != text.data() + text.size()) return invalid("invalid digit found in string");
  if (failure != std::errc()) return invalid("number too large to fit in 64 bits");
  return number;
}

struct Family {
  int number;
  std::size_t size;
};
constexpr Family kIpv4{AF_INET, 4};
constexpr Family kIpv6{AF_INET6, 16};

// The one spelling of an address, so that equal addresses have equal texts.
std::optional<std::string> canonical_ip(Family family, std::string_view ip) {
  char binary[16];
  char text[INET6_ADDRSTRLEN];
  if (ip.find('\0') != std::string_view::npos) return std::nullopt;
  if (::inet_pton(family.number, std::string(ip).c_str(), binary) != 1) return std::nullopt;
  if (::inet_ntop(family.number, binary, text, sizeof text) == nullptr) return std::nullopt;
  return std::string(text);
}

// "127.0.0.1:80" or "[::1]:80".
Result<ChannelAddr> parse_host_and_port(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return bad_socket_address();
  std::string_view host = text.substr(0, colon);
  const auto port = parse_number(text.substr(colon + 1));
  if (!port || *port > 0xffff) return bad_socket_address();
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (bracketed != (host.find(':') != std::string_view::npos)) return bad_socket_address();
  return ChannelAddr::tcp(host, static_cast<std::uint16_t>(*port));
}

Result<ChannelAddr> parse_unix(std::string_view text) {
  if (text.empty()) return ChannelAddr::any(Transport::kUnix);
  if (text.find('\0') != std::string_view::npos || text == "@") return bad_socket_address();
  if (text.front() == '@') return ChannelAddr::unix_abstract(std::string(text.substr(1)));
  return ChannelAddr::unix_path(std::string(text));
}

Result<ChannelAddr> parse_local(std::string_view text) {
  const auto number = parse_number(text);
  if (!number) return number.error();
  return ChannelAddr::local(*number);
}

// Nothing when `text` is not one of the URL forms.
std::optional<Result<ChannelAddr>> parse_url(std::string_view text) {
  const std::size_t separator = text.find("://");
  if (separator == std::string_view::npos) return std::nullopt;
  const std::string_view scheme = text.substr(0, separator);
  const std::string_view rest = text.substr(separator + 3);
  if (scheme == "tcp") {
    if (rest.starts_with("*:")) return parse_host_and_port("[::]" + std::string(rest.substr(1)));
    return parse_host_and_port(rest);
  }
  if (scheme == "inproc") return parse_local(rest);
  if (scheme == "ipc") return rest.empty() ? Result<ChannelAddr>(bad_socket_address()) : parse_unix(rest);
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Transport transport) {
  switch (transport) {
    case Transport::kLocal:
      return "local";
    case Transport::kUnix:
      return "unix";
    case Transport::kTcp:
      return "tcp";
  }
  return "unknown";
}

Result<Transport> parse_transport(std::string_view text) {
  if (text == "local") return Transport::kLocal;
  if (text == "unix") return Transport::kUnix;
  if (text == "tcp" || text == "tcp(Localhost)" || text == "tcp(Hostname)") return Transport::kTcp;
  return invalid("unknown channel transport: " + std::string(text));
}

Result<ChannelAddr> ChannelAddr::parse(std::string_view text) {
  if (auto url = parse_url(text)) return *std::move(url);
  const std::size_t delimiter = text.find_first_of(":!");
  const std::string_view scheme = text.substr(0, delimiter);
  const bool has_scheme =
      delimiter != std::string_view::npos && !scheme.empty() && scheme.find('.') == std::string_view::npos;
  if (!has_scheme) return invalid("no channel type specified");
  const std::string_view rest = text.substr(delimiter + 1);
  if (scheme == "tcp") return parse_host_and_port(rest);
  if (scheme == "unix") return parse_unix(rest);
  if (scheme == "local") return parse_local(rest);
  return invalid("no such channel type: " + std::string(scheme));
}

ChannelAddr ChannelAddr::any(Transport transport) {
  switch (transport) {
    case Transport::kLocal:
      return local(0);
    case Transport::kUnix:
      return unix_abstract(random_name());
    case Transport::kTcp:
      return ChannelAddr(Kind::kTcp, "127.0.0.1", 0);
  }
  return ChannelAddr();
}

ChannelAddr ChannelAddr::local(std::uint64_t number) {
  return ChannelAddr(Kind::kLocal, "", number);
}
ChannelAddr ChannelAddr::unix_path(std::string path) {
  return ChannelAddr(Kind::kPath, std::move(path), 0);
}
ChannelAddr ChannelAddr::unix_abstract(std::string name) {
  return ChannelAddr(Kind::kAbstract, std::move(name), 0);
}

Result<ChannelAddr> ChannelAddr::tcp(std::string_view ip, std::uint16_t port) {
  auto host = canonical_ip(ip.find(':') == std::string_view::npos ? kIpv4 : kIpv6, ip);
  if (!host) return bad_socket_address();
  return ChannelAddr(Kind::kTcp, *std::move(host), port);
}

Transport ChannelAddr::transport() const {
  switch (kind_) {
    case Kind::kNone:
    case Kind::kLocal:
      return Transport::kLocal;
    case Kind::kAbstract:
    case Kind::kPath:
      return Transport::kUnix;
    case Kind::kTcp:
      return Transport::kTcp;
  }
  return Transport::kLocal;
}

std::string ChannelAddr::text() const {
  switch (kind_) {
    case Kind::kNone:
      return "";
    case Kind::kLocal:
      return "local:" + std::to_string(number_);
    case Kind::kAbstract:
      return "unix:@" + name_;
    case Kind::kPath:
      return "unix:" + name_;
    case Kind::kTcp: {
      const bool ipv6 = name_.find(':') != std::string::npos;
      return (ipv6 ? "tcp:[" + name_ + "]:" : "tcp:" + name_ + ":") + std::to_string(number_);
    }
  }
  return "";
}

bool ChannelAddr::is_any() const {
  return (kind_ == Kind::kLocal || kind_ == Kind::kTcp) && number_ == 0;
}

bool ChannelAddr::is_loopback() const {
  if (kind_ != Kind::kTcp) return true;
  return name_.starts_with("127.") || name_ == "::1" || name_.starts_with("::ffff:127.");
}

}  // namespace hostmesh
