#include "hostmesh/bootstrap/messages.hpp"

#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <limits>
#include <string_view>

namespace hostmesh::bootstrap {

namespace {

constexpr std::array<std::uint8_t, 4> kMagic{'H', 'M', 'B', '1'};
constexpr std::uint32_t kMaxPayload = 16 << 20;  // bytes

Error bad_payload(std::string_view what, int error_number = 0) {
  return Error(ErrorInfo{.cause = Cause::kProtocol,
                         .message = "the bootstrap payload on stdin: " + std::string(what),
                         .phase = "bootstrap",
                         .os_error = error_number});
}

// Fills `into` or fails.
Result<> read_exactly(int fd, std::span<std::uint8_t> into, Deadline deadline) {
  while (!into.empty()) {
    const Duration left = deadline.remaining();
    const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
    pollfd waiting{.fd = fd, .events = POLLIN, .revents = 0};
    const int ready = ::poll(
        &waiting, 1, static_cast<int>(std::min<std::int64_t>(left_ms + 1, std::numeric_limits<int>::max())));
    if (ready == 0 && deadline.passed()) return bad_payload("did not come in time");
    if (ready < 0 && errno != EINTR) return bad_payload("cannot be waited for", errno);
    if (ready <= 0) continue;
    const ssize_t got = ::read(fd, into.data(), into.size());
    if (got == 0) return bad_payload("ended early: its owner is gone");
    if (got < 0 && errno != EINTR && errno != EAGAIN) return bad_payload("cannot be read", errno);
    if (got > 0) into = into.subspan(static_cast<std::size_t>(got));
    if (!into.empty() && deadline.passed()) return bad_payload("did not come in time");
  }
  return {};
}

bool is_ours(std::string_view entry) {
  for (const char* name : {kEnvAddr, kEnvIndex, kEnvTraceId, kEnvMode, kEnvLogChannel, kEnvProcessName,
                           kEnvHostVariables, kEnvHostFolder}) {
    const std::size_t length = std::strlen(name);
    if (entry.starts_with(name) && entry.size() > length && entry[length] == '=') return true;
  }
  return false;
}

}  // namespace

Bytes pack_payload(const Payload& payload) {
  const Bytes body = wire::encode(payload);
  Bytes bytes(kMagic.begin(), kMagic.end());
  const auto size = static_cast<std::uint32_t>(body.size());
  for (int shift = 0; shift < 32; shift += 8) bytes.push_back(static_cast<std::uint8_t>(size >> shift));
  bytes.insert(bytes.end(), body.begin(), body.end());
  return bytes;
}

namespace {

using PayloadHead = std::array<std::uint8_t, 8>;

// The length of what follows.
Result<std::uint32_t> read_head(const PayloadHead& head) {
  if (!std::equal(kMagic.begin(), kMagic.end(), head.begin()))
    return bad_payload("does not start as one should");
  std::uint32_t size = 0;
  for (int i = 0; i < 4; ++i) size |= static_cast<std::uint32_t>(head[4 + i]) << (8 * i);
  if (size > kMaxPayload) return bad_payload("claims to be " + std::to_string(size) + " bytes long");
  return size;
}

Result<Payload> read_body(ByteView body) {
  auto payload = wire::decode<Payload>(body);
  if (!payload) return bad_payload(payload.error().info().message);
  if (payload->version != kProtocolVersion) {
    return bad_payload("has protocol version " + std::to_string(payload->version) + ", this program speaks " +
                       std::to_string(kProtocolVersion));
  }
  return payload;
}

}  // namespace

Result<Payload> read_payload(int fd, Deadline deadline) {
  PayloadHead head{};
  if (auto got = read_exactly(fd, head, deadline); !got) return got.error();
  const auto size = read_head(head);
  if (!size) return size.error();
  Bytes body(*size);
  if (auto got = read_exactly(fd, body, deadline); !got) return got.error();
  return read_body(body);
}

Result<Payload> unpack_payload(ByteView bytes) {
  PayloadHead head{};
  if (bytes.size() < head.size()) return bad_payload("is too short");
  std::copy_n(bytes.begin(), head.size(), head.begin());
  const auto size = read_head(head);
  if (!size) return size.error();
  if (bytes.size() != head.size() + *size) return bad_payload("is not as long as it claims to be");
  return read_body(bytes.subspan(head.size()));
}

std::vector<std::string> child_environment(const std::vector<std::string>& base,
                                           const std::vector<std::pair<std::string, std::string>>& added) {
  std::vector<std::string> environment;
  environment.reserve(base.size() + added.size());
  for (const std::string& entry : base) {
    const std::string_view name = std::string_view(entry).substr(0, entry.find('='));
    const bool replaced =
        std::any_of(added.begin(), added.end(), [name](const auto& each) { return each.first == name; });
    if (!is_ours(entry) && !replaced) environment.push_back(entry);
  }
  for (const auto& [name, value] : added) environment.push_back(name + "=" + value);
  return environment;
}

}  // namespace hostmesh::bootstrap
