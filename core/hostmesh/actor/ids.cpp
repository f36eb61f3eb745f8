#include "hostmesh/actor/ids.hpp"

#include <charconv>
#include <vector>

namespace hostmesh {

namespace {

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool fits_name(char c, bool first) {
  return is_letter(c) || (!first && (is_digit(c) || c == '-' || c == ':'));
}

void append_percent(std::string& text, char c) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  text += '%';
  text += kDigits[static_cast<unsigned char>(c) >> 4];
  text += kDigits[static_cast<unsigned char>(c) & 15];
}

std::string name_text(std::string_view name) {
  std::string text;
  for (std::size_t i = 0; i < name.size(); ++i) {
    if (fits_name(name[i], i == 0)) {
      text += name[i];
    } else {
      append_percent(text, name[i]);
    }
  }
  return text;
}

std::string addr_text(const ChannelAddr& addr) {
  std::string text;
  for (const char c : addr.text()) {
    if (c == ',' || c == '%') {
      append_percent(text, c);
    } else {
      text += c;
    }
  }
  return text;
}

// The character at `at`, which is moved past it; a percent sequence is one character.
std::optional<char> decode_one(std::string_view text, std::size_t& at) {
  if (text[at] != '%') return text[at++];
  unsigned value = 0;
  if (at + 3 > text.size()) return std::nullopt;
  const auto [end, failure] = std::from_chars(text.data() + at + 1, text.data() + at + 3, value, 16);
  if (failure != std::errc() || end != text.data() + at + 3) return std::nullopt;
  at += 3;
  return static_cast<char>(value);
}

std::optional<std::string> parse_name(std::string_view text) {
  std::string name;
  for (std::size_t at = 0; at < text.size();) {
    if (text[at] != '%' && !fits_name(text[at], at == 0)) return std::nullopt;
    const auto c = decode_one(text, at);
    if (!c) return std::nullopt;
    name += *c;
  }
  if (name.empty()) return std::nullopt;
  return name;
}

std::optional<std::string> parse_addr(std::string_view text) {
  std::string addr;
  for (std::size_t at = 0; at < text.size();) {
    const auto c = decode_one(text, at);
    if (!c) return std::nullopt;
    addr += *c;
  }
  return addr;
}

// "[12][1024]" and nothing else.
std::optional<std::vector<std::uint64_t>> parse_indices(std::string_view text) {
  std::vector<std::uint64_t> indices;
  while (!text.empty()) {
    const std::size_t close = text.find(']');
    if (text.front() != '[' || close == std::string_view::npos) return std::nullopt;
    std::uint64_t value = 0;
    const auto [end, failure] = std::from_chars(text.data() + 1, text.data() + close, value);
    if (failure != std::errc() || end != text.data() + close) return std::nullopt;
    indices.push_back(value);
    text.remove_prefix(close + 1);
  }
  return indices;
}

Error not_an_id(std::string_view text, std::string_view kind, std::string_view why) {
  std::string message;
  message.append("'").append(text).append("' is not the id of ").append(kind).append(": ").append(why);
  return Error(Cause::kInvalidArgument, std::move(message));
}

struct Parts {
  ProcId proc;
  std::string_view actor;  // without the separator; empty when there is none
};

// The proc at the front of any id, and what follows it.
Result<Parts> split(std::string_view text, std::string_view kind) {
  const auto failed = [&](std::string_view why) { return not_an_id(text, kind, why); };
  const std::size_t comma = text.find(',');
  if (comma != std::string_view::npos) {
    const auto addr_part = parse_addr(text.substr(0, comma));
    if (!addr_part) return failed("a percent sign is not followed by two hexadecimal digits");
    auto addr = ChannelAddr::parse(*addr_part);
    if (!addr) return failed(addr.error().text());
    const std::string_view rest = text.substr(comma + 1);
    const std::size_t end = std::min(rest.find(','), rest.size());
    auto name = parse_name(rest.substr(0, end));
    if (!name) return failed("the name of the proc must be letters, digits, '_' and '-'");
    if (end < rest.size() && end + 1 == rest.size()) return failed("the name of the actor is missing");
    return Parts{ProcId::direct(*std::move(addr), *std::move(name)),
                 end < rest.size() ? rest.substr(end + 1) : std::string_view()};
  }
  const std::size_t open = text.find('[');
  const std::size_t close = text.find(']');
  if (open == std::string_view::npos || close == std::string_view::npos || close < open) {
    return failed("expected ADDRESS,NAME or ALLOCATION[RANK]");
  }
  auto allocation = parse_name(text.substr(0, open));
  const auto rank = parse_indices(text.substr(open, close + 1 - open));
  if (!allocation || !rank) return failed("expected ADDRESS,NAME or ALLOCATION[RANK]");
  std::string_view rest = text.substr(close + 1);
  if (!rest.empty()) {
    if (rest.front() != '.' || rest.size() == 1) return failed("expected .ACTOR after the rank");
    rest.remove_prefix(1);
  }
  return Parts{ProcId::ranked(*std::move(allocation), rank->front()), rest};
}

struct ActorParts {
  ActorId actor;
  std::vector<std::uint64_t> indices;
};

Result<ActorParts> split_actor(std::string_view text, std::string_view kind) {
  auto parts = split(text, kind);
  if (!parts) return parts.error();
  const std::size_t open = std::min(parts->actor.find('['), parts->actor.size());
  auto name = parse_name(parts->actor.substr(0, open));
  if (!name) return not_an_id(text, kind, "the name of the actor must be letters, digits, '_' and '-'");
  auto indices = parse_indices(parts->actor.substr(open));
  if (!indices) return not_an_id(text, kind, "expected numbers in brackets after the actor");
  return ActorParts{
      ActorId{std::move(parts->proc), *std::move(name), indices->empty() ? 0 : indices->front()},
      *std::move(indices)};
}

}  // namespace

ProcId ProcId::direct(ChannelAddr addr, std::string name) {
  HOSTMESH_ASSERT(addr.valid() && !name.empty(), "a direct proc id needs an address and a name");
  return ProcId(std::move(addr), std::move(name), 0);
}

ProcId ProcId::ranked(std::string allocation, Rank rank) {
  HOSTMESH_ASSERT(!allocation.empty(), "a ranked proc id needs the name of its allocation");
  return ProcId(ChannelAddr(), std::move(allocation), rank);
}

std::optional<ProcId::Direct> ProcId::as_direct() const {
  if (!is_direct()) return std::nullopt;
  return Direct{addr_, name_};
}

std::optional<ProcId::Ranked> ProcId::as_ranked() const {
  if (is_direct() || !valid()) return std::nullopt;
  return Ranked{name_, rank_};
}

Result<ProcId> ProcId::parse(std::string_view text) {
  auto parts = split(text, "a proc");
  if (!parts) return parts.error();
  if (!parts->actor.empty()) return not_an_id(text, "a proc", "it goes on after the proc");
  return std::move(parts->proc);
}

std::string ProcId::text() const {
  if (!valid()) return {};
  if (is_direct()) return addr_text(addr_) + "," + name_text(name_);
  return name_text(name_) + "[" + std::to_string(rank_) + "]";
}

Result<ActorId> ActorId::parse(std::string_view text) {
  auto parts = split_actor(text, "an actor");
  if (!parts) return parts.error();
  if (parts->indices.size() > 1) return not_an_id(text, "an actor", "it goes on after the actor");
  return std::move(parts->actor);
}

std::string ActorId::text() const {
  if (!valid()) return {};
  return proc.text() + (proc.is_direct() ? "," : ".") + local_text();
}

std::string ActorId::local_text() const {
  return name_text(name) + "[" + std::to_string(pid) + "]";
}

Result<PortId> PortId::parse(std::string_view text) {
  // "[1024<type>]": the type may hold anything, commas and brackets too, so it goes first.
  std::string without_type;
  if (text.ends_with(">]")) {
    for (std::size_t open = text.find('['); open != std::string_view::npos; open = text.find('[', open + 1)) {
      std::size_t end = open + 1;
      while (is_digit(text[end])) ++end;
      if (end == open + 1 || text[end] != '<') continue;
      without_type = std::string(text.substr(0, end)) + "]";
      break;
    }
  }
  auto parts = split_actor(without_type.empty() ? text : without_type, "a port");
  if (!parts) return parts.error();
  if (parts->indices.size() != 2) return not_an_id(text, "a port", "expected [PID][PORT] after the actor");
  return PortId{std::move(parts->actor), parts->indices[1]};
}

std::string PortId::text() const {
  if (!valid()) return {};
  return actor.text() + "[" + std::to_string(port) + "]";
}

}  // namespace hostmesh
