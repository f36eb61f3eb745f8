#include "hostmesh/base/error.hpp"

#include <boost/system/system_error.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <system_error>
#include <utility>

#include "hostmesh/base/text.hpp"

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

std::string limit_hint(int error_number) {
  switch (error_number) {
    case EAGAIN:
      return "a limit on processes and threads is reached: ulimit -u, or pids.max of the cgroup";
    case EMFILE:
      return "this process has no descriptors left: raise ulimit -n";
    case ENFILE:
      return "the machine has no descriptors left: raise the sysctl fs.file-max";
    case ENOMEM:
    case ENOBUFS:
      return "there is no memory left, on the machine, in the cgroup, or under ulimit -v";
    default:
      return {};
  }
}

std::string errno_text(int error_number) {
  const char* name = ::strerrorname_np(error_number);
  std::string text = name != nullptr ? name : "errno " + std::to_string(error_number);
  const char* description = ::strerrordesc_np(error_number);
  if (description != nullptr) text += std::string(" (") + description + ")";
  return text;
}

namespace {

// Escapes all that a terminal or a reader of lines could take for something else: much of an error is the
// text of others (plugins, peers, commands).
std::string render(const ErrorInfo& info) {
  std::string text;
  if (info.rank) text += "rank " + std::to_string(*info.rank);
  if (!info.host.empty()) text += (text.empty() ? "host " : ", host ") + printable(info.host);
  if (!info.phase.empty()) text += (text.empty() ? "phase " : ", phase ") + printable(info.phase);
  if (!text.empty()) text += ": ";
  text += info.message.empty() ? std::string(to_string(info.cause)) : printable_lines(info.message);
  const auto clause = [&text](const std::string& more) { text += "; " + more; };
  if (info.os_error != 0) clause(errno_text(info.os_error));
  if (!info.exit_status.empty()) clause(printable(info.exit_status));
  if (!info.command.empty()) clause("command: " + printable(info.command));
  if (!info.hint.empty()) clause("try: " + printable_lines(info.hint));
  if (!info.last_lines.empty()) {
    clause("last lines of its stderr:");
    for (const std::string& line : info.last_lines) text += "\n  | " + printable(line);
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
  const bool exhausted = is_exhaustion(error_number);
  return Error(ErrorInfo{.cause = exhausted ? Cause::kResourceLimit : cause,
                         .message = std::string(what),
                         .os_error = error_number,
                         .hint = exhausted ? limit_hint(error_number) : std::string()});
}

Error error_of_exception(std::string_view what, std::string_view phase, Cause otherwise) {
  const std::string place(phase);
  try {
    throw;
  } catch (const Error& error) {
    return error.with_phase(place);
  } catch (const std::bad_alloc&) {
    return os_error(Cause::kResourceLimit, what, ENOMEM).with_phase(place);
  } catch (const boost::system::system_error& error) {
    const auto& code = error.code();
    if (code.category() == boost::system::system_category() ||
        code.category() == boost::system::generic_category())
      return os_error(otherwise, what, code.value()).with_phase(place);
    return Error(otherwise, std::string(what) + ": " + error.what()).with_phase(place);
  } catch (const std::system_error& error) {
    const auto& code = error.code();
    if (code.category() == std::system_category() || code.category() == std::generic_category())
      return os_error(otherwise, what, code.value()).with_phase(place);
    return Error(otherwise, std::string(what) + ": " + error.what()).with_phase(place);
  } catch (const std::exception& error) {
    return Error(otherwise, std::string(what) + ": " + error.what()).with_phase(place);
  } catch (...) {
    return Error(otherwise, std::string(what) + ": something was thrown that is no std::exception")
        .with_phase(place);
  }
}

void assertion_failed(const char* expression, const char* file, int line, std::string_view message) {
  std::fprintf(stderr, "hostmesh: bug at %s:%d: %.*s (expected: %s)\n", file, line,
               static_cast<int>(message.size()), message.data(), expression);
  std::abort();
}

}  // namespace hostmesh
