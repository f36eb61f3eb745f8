#include <unistd.h>

#include <cerrno>
#include <utility>

#include "hostmesh/process/detail/spawn_error.hpp"
#include "hostmesh/process/lines.hpp"

namespace hostmesh {

namespace {

Cause cause_of(int error_number) {
  // EAGAIN: no more processes.
  return error_number == EAGAIN || is_exhaustion(error_number) ? Cause::kResourceLimit : Cause::kSpawnFailed;
}

bool file_exists(const SpawnRequest& request) {
  const std::string& file = request.argv.front();
  if (file.find('/') == std::string::npos) return false;
  const bool relative = file.front() != '/' && !request.working_directory.empty();
  return ::access((relative ? request.working_directory + "/" + file : file).c_str(), F_OK) == 0;
}

bool is_plain(std::string_view word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%^";
  return !word.empty() && word.find_first_not_of(kPlain) == std::string_view::npos;
}

std::string quoted(const std::string& word) {
  if (is_plain(word)) return word;
  std::string text = "'";
  for (const char c : word) {
    if (c == '\'') {
      text += "'\\''";
    } else {
      text += c;
    }
  }
  return text + "'";
}

}  // namespace

std::string command_text(const std::vector<std::string>& argv) {
  constexpr std::size_t kLongest = 300;  // bytes
  std::string text;
  for (const std::string& word : argv) {
    if (!text.empty()) text += ' ';
    text += quoted(word.size() > kLongest ? word.substr(0, kLongest) : word);
    if (text.size() > kLongest) break;
  }
  text = valid_utf8(text);
  if (text.size() <= kLongest) return text;
  return std::string(utf8_prefix(text, kLongest)) + "...";
}

namespace detail {

Error bad_request(const SpawnRequest& request, std::string why) {
  return Error(ErrorInfo{.cause = Cause::kInvalidArgument,
                         .message = "cannot start a process: " + why,
                         .phase = "launch",
                         .command = command_text(request.argv)});
}

Error launch_error(const SpawnRequest& request, std::string what, int error_number, std::string hint) {
  std::string limit = limit_hint(error_number);
  return Error(ErrorInfo{.cause = cause_of(error_number),
                         .message = "could not start a process: " + std::move(what) + " failed",
                         .phase = "launch",
                         .command = command_text(request.argv),
                         .os_error = error_number,
                         .hint = limit.empty() ? std::move(hint) : std::move(limit)});
}

std::string exec_hint(const SpawnRequest& request, int error_number) {
  switch (error_number) {
    case ENOENT:
      if (file_exists(request)) {
        return "the file is there, so what it needs to run is not: the interpreter in its #! line, or its "
               "loader";
      }
      if (request.argv.front().find('/') == std::string::npos) {
        return "no folder in PATH of the child's environment has it: give a full path, or set PATH";
      }
      return "there is no such file: check the path";
    case ENOTDIR:
      return "a part of the path is no folder";
    case EACCES:
      return "the file needs execute permission (chmod +x), each folder above it search permission, and the "
             "file "
             "system must not be mounted noexec";
    case ENOEXEC:
      return "the file is neither a program for this machine nor a script that starts with #!";
    case E2BIG:
      return "arguments and environment are too large together, or one of them alone is over 128 KiB: pass "
             "large "
             "things through stdin or a file";
    case ETXTBSY:
      return "the file is open for writing somewhere: wait until it is complete";
    default:
      return {};
  }
}

}  // namespace detail

}  // namespace hostmesh
