#include "hostmesh/bootstrap/tcp_names.hpp"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

namespace hostmesh::bootstrap {

namespace {

bool is_ipv6(const std::string& ip) {
  return ip.find(':') != std::string::npos;
}
bool is_everywhere(const std::string& ip) {
  return ip == "0.0.0.0" || ip == "::";
}

struct BindText {
  std::string host;
  std::string ports;  // "5000-5100", "5000"; empty: any
};

// An IPv6 address has ports only when it is in brackets.
BindText parse_bind(const std::string& text) {
  const bool is_bracketed = text.starts_with('[');
  const std::size_t end = is_bracketed ? text.find(']') : 0;
  const std::size_t colon = text.find(':', end == std::string::npos ? text.size() : end);
  if (colon == std::string::npos || (!is_bracketed && text.find(':', colon + 1) != std::string::npos))
    return {.host = is_bracketed && text.ends_with(']') ? text.substr(1, text.size() - 2) : text,
            .ports = {}};
  std::string host = is_bracketed ? text.substr(1, end - 1) : text.substr(0, colon);
  if (host.empty()) host = attribute::kTcpBind.fallback;
  return {.host = std::move(host), .ports = text.substr(colon + 1)};
}

std::optional<std::uint16_t> port_of(std::string_view digits) {
  std::uint16_t port = 0;
  const auto [end, failure] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (failure != std::errc() || end != digits.data() + digits.size() || port == 0) return std::nullopt;
  return port;
}

}  // namespace

std::string TcpNames::text_of(const Name& name) const {
  const std::string text(config_.get(name.attribute));
  return &name == &bind_ ? parse_bind(text).host : text;
}

Result<TcpNames::Ports> TcpNames::ports() const {
  const std::string text(config_.get(bind_.attribute));
  const std::string ports = parse_bind(text).ports;
  if (ports.empty() && !text.ends_with(':')) return Ports{};
  const std::size_t dash = std::min(ports.find('-'), ports.size());
  const auto first = port_of(std::string_view(ports).substr(0, dash));
  const auto last = dash == ports.size() ? first : port_of(std::string_view(ports).substr(dash + 1));
  if (!first || !last || *last < *first) {
    return Error(Cause::kConfiguration, std::string(bind_.attribute.name) + " is '" + text + "': '" + ports +
                                            "' is no range of ports, such as 5000-5100");
  }
  return Ports{.first = *first, .last = *last};
}

void TcpNames::resolve(Deadline deadline, std::function<void(Result<>)> done) {
  const bool under_way = !waiting_.empty();
  waiting_.push_back(std::move(done));
  if (!under_way) resolve_next(deadline);
}

void TcpNames::resolve_next(Deadline deadline) {
  for (Name* name : {&bind_, &advertise_}) {
    const std::string text = text_of(*name);
    if (text.empty() || text == name->text || ChannelAddr::tcp(text, 0)) continue;
    asked_ = hostmesh::resolve(reactor_, "tcp:" + text + ":0", deadline,
                               [this, name, text, deadline](const Result<std::vector<ChannelAddr>>& all) {
                                 const auto finished = std::move(asked_);  // it is what called
                                 if (!all) {
                                   ErrorInfo info = all.error().info();
                                   info.message = std::string(name->attribute.name) + " is '" + text +
                                                  "': " + info.message;
                                   return failed(*name, text, Error(std::move(info)));
                                 }
                                 name->text = text;
                                 if (const auto chosen = choose(*name, *all); !chosen) {
                                   name->text.clear();
                                   return failed(*name, text, chosen.error());
                                 }
                                 resolve_next(deadline);
                               });
    return;
  }
  answer({});
}

// Others must be able to dial it: many a machine has its own name for 127.0.1.1.
Result<> TcpNames::choose(Name& name, const std::vector<ChannelAddr>& all) const {
  const bool told = &name == &advertise_;
  const auto bound = told ? bind() : Result<ChannelAddr>(ChannelAddr());
  if (!bound) return bound.error();
  const auto fits = [&](const ChannelAddr& addr) {
    return !told || bound->name() == "::" || is_ipv6(addr.name()) == is_ipv6(bound->name());
  };
  const bool may_be_loopback = name.text == "localhost" || (told && bound->is_loopback());
  for (const ChannelAddr& addr : all) {
    if (!fits(addr) || (addr.is_loopback() && !may_be_loopback)) continue;
    name.ip = addr.name();
    return {};
  }
  std::string known;
  for (const ChannelAddr& addr : all) known += (known.empty() ? "" : ", ") + addr.name();
  return Error(ErrorInfo{.cause = Cause::kConfiguration,
                         .message = std::string(name.attribute.name) + " is '" + name.text +
                                    "', which on this machine is " + known + ": others cannot dial that" +
                                    (told ? ", or nobody listens there at " + bound->name() : ""),
                         .hint = "a numeric address can be given"});
}

void TcpNames::failed(Name& name, const std::string& text, const Error& error) {
  name.failed = text;
  name.failure = error;
  answer(error);
}

void TcpNames::answer(const Result<>& result) {
  for (const auto& done : std::exchange(waiting_, {})) done(result);
}

Result<ChannelAddr> TcpNames::numeric(const Name& name) const {
  const std::string text = text_of(name);
  auto addr = ChannelAddr::tcp(text == name.text ? name.ip : text, 0);
  if (addr) return addr;
  if (name.failure && name.failed == text) return *name.failure;
  return Error(Cause::kConfiguration, std::string(name.attribute.name) + " is '" + text +
                                          "', which is no numeric address and was not resolved");
}

Result<ChannelAddr> TcpNames::bind() const {
  auto bind = numeric(bind_);
  if (bind && is_everywhere(bind->name()) && config_.get(attribute::kTcpAdvertise).empty()) {
    return Error(ErrorInfo{.cause = Cause::kConfiguration,
                           .message = "TCP_BIND is '" + bind->name() + "', which others cannot dial",
                           .hint = "set TCP_ADVERTISE to the address under which they reach this machine"});
  }
  return bind;
}

Result<std::string> TcpNames::advertise() const {
  if (config_.get(attribute::kTcpAdvertise).empty()) return std::string();
  const auto addr = numeric(advertise_);
  if (!addr) return addr.error();
  return addr->name();
}

}  // namespace hostmesh::bootstrap
