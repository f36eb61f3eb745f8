#include "hostmesh/base/error.hpp"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hostmesh {

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::kNone:
      return "none";
    case Cause::kInvalidArgument:
      return "invalid_argument";
    case Cause::kConfiguration:
      return "configuration";
    case Cause::kSpawnFailed:
      return "spawn_failed";
    case Cause::kChildExited:
      return "child_exited";
    case Cause::kTimeout:
      return "timeout";
    case Cause::kProtocol:
      return "protocol";
    case Cause::kAuthentication:
      return "authentication";
    case Cause::kUnroutable:
      return "unroutable";
    case Cause::kPeerGone:
      return "peer_gone";
    case Cause::kActorGone:
      return "actor_gone";
    case Cause::kRemote:
      return "remote";
    case Cause::kCancelled:
      return "cancelled";
    case Cause::kResourceLimit:
      return "resource_limit";
    case Cause::kIo:
      return "io";
    case Cause::kPlugin:
      return "plugin";
    case Cause::kInternal:
      return "internal";
  }
  return "unknown";
}

bool is_exhaustion(int error_number) {
  return error_number == EMFILE || error_number == ENFILE || error_number == ENOMEM ||
         error_number == ENOBUFS;
}

std::string errno_text(int error_number) {
  const char* name = ::strerrorname_np(error_number);
  std::string text = name != nullptr ? name : "errno " + std::to_string(error_number);
  const char* description = ::strerrordesc_np(error_number);
  if (description != nullptr) text += std::string(" (") + description + ")";
  return text;
}

namespace {

std::string render(const ErrorInfo& info) {
  std::string text;
  if (info.rank) text += "rank " + std::to_string(*info.rank);
  if (!info.host.empty()) text += (text.empty() ? "host " : ", host ") + info.host;
  if (!info.phase.empty()) text += (text.empty() ? "phase " : ", phase ") + info.phase;
  if (!text.empty()) text += ": ";
  text += info.message.empty() ? std::string(to_string(info.cause)) : info.message;
  const auto clause = [&text](const std::string& more) { text += "; " + more; };
  if (info.os_error != 0) clause(errno_text(info.os_error));
  if (!info.exit_status.empty()) clause(info.exit_status);
  if (!info.command.empty()) clause("command: " + info.command);
  if (!info.hint.empty()) clause("try: " + info.hint);
  if (!info.last_lines.empty()) {
    clause("last lines of its stderr:");
    for (const std::string& line : info.last_lines) text += "\n  | " + line;
  }
  return text;
}

}  // namespace

Error::Error(ErrorInfo info) : info_(std::move(info)), text_(render(info_)) {}

Error::Error(Cause cause, std::string message)
    : Error(ErrorInfo{.cause = cause, .message = std::move(message)}) {}

Error Error::with_rank(std::uint64_t rank) const {
  ErrorInfo info = info_;
  if (!info.rank) info.rank = rank;
  return Error(std::move(info));
}

Error Error::with_host(std::string host) const {
  ErrorInfo info = info_;
  if (info.host.empty()) info.host = std::move(host);
  return Error(std::move(info));
}

Error Error::with_phase(std::string phase) const {
  ErrorInfo info = info_;
  if (info.phase.empty()) info.phase = std::move(phase);
  return Error(std::move(info));
}

Error os_error(Cause cause, std::string_view what, int error_number) {
  return Error(ErrorInfo{.cause = cause, .message = std::string(what), .os_error = error_number});
}

void assertion_failed(const char* expression, const char* file, int line, std::string_view message) {
  std::fprintf(stderr, "hostmesh: bug at %s:%d: %.*s (expected: %s)\n", file, line,
               static_cast<int>(message.size()), message.data(), expression);
  std::abort();
}

}  // namespace hostmesh
