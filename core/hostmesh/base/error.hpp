// The one error type of the library: a stable cause, a sentence, and what a person needs to act on it.
//
// Expected outcomes (a child exited, a peer went away) are values elsewhere; an Error says that something
// asked for could not be done. Its text is made here alone, so that every message has the same form: what
// failed, for whom, in which phase, on what evidence, what to try.
#pragma once

#include <cstdint>
#include <exception>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace hostmesh {

// Stable codes: programs branch on these, never on text. Numbers are never reused.
enum class Cause : std::uint16_t {
  kNone = 0,
  kInvalidArgument = 1,  // the caller asked for something that cannot be
  kConfiguration = 2,    // plugins.yaml, an attribute, an option
  kSpawnFailed = 3,      // the operating system refused to start a process
  kChildExited = 4,      // a child ended before it was ready
  kTimeout = 5,          // a deadline passed
  kProtocol = 6,         // a peer sent what the protocol does not allow
  kAuthentication = 7,   // a peer could not prove the secret, or is another user's
  kUnroutable = 8,       // nobody is known at the destination
  kPeerGone = 9,         // the process at the other end is gone
  kActorGone = 10,       // the process is there, the actor is not
  kRemote = 11,          // the other side tried and failed; its words are in the message
  kCancelled = 12,       // stopped on purpose before it finished
  kResourceLimit = 13,   // no more descriptors, processes or memory
  kIo = 14,              // a system call failed
  kPlugin = 15,          // a plugin could not be loaded or broke its contract
  kInternal = 16,        // a bug of ours
};

// The short stable name of a cause, e.g. "spawn_failed".
std::string_view to_string(Cause cause);

// What an error knows about where it happened. A plain value that travels between processes.
struct ErrorInfo {
  Cause cause = Cause::kNone;
  std::string message;                  // one sentence, without the context below
  std::optional<std::uint64_t> rank;    // of the proc or host concerned
  std::string host;                     // where it runs or should have run
  std::string phase;                    // launch, hello, start, run, stop, connect, ...
  std::string command;                  // the program concerned; never its environment
  std::int32_t os_error = 0;            // errno, 0 when none
  std::string exit_status;              // "exited with code 3", "killed by signal 9 (KILL)"
  std::vector<std::string> last_lines;  // the last whole lines of its stderr
  std::string hint;                     // what to try

  bool operator==(const ErrorInfo&) const = default;
};

class Error : public std::exception {
 public:
  Error() = default;
  explicit Error(ErrorInfo info);
  Error(Cause cause, std::string message);

  Cause cause() const { return info_.cause; }
  const ErrorInfo& info() const { return info_; }
  // The whole text: message and context in the one form. Several lines only when there are last_lines,
  // or when several hosts did not come up.
  const char* what() const noexcept override { return text_.c_str(); }
  const std::string& text() const { return text_; }

  // Copies with more context; each leaves what is already set alone.
  Error with_rank(std::uint64_t rank) const;
  Error with_host(std::string host) const;
  Error with_phase(std::string phase) const;

  bool operator==(const Error& other) const { return info_ == other.info_; }

 private:
  ErrorInfo info_;
  std::string text_;
};

// Returns an Error for a failed system call. `what` is what was attempted ("bind unix:@x"); errno is named.
// When is_exhaustion(errno), the cause is kResourceLimit whatever the caller says, and the hint is
// limit_hint(errno).
Error os_error(Cause cause, std::string_view what, int error_number);
// Returns an Error for the exception that is being handled, which must be one. An Error stays as it is but
// for its phase. An exception of the standard library or of Boost becomes an os_error() when it has an errno,
// kResourceLimit when it is std::bad_alloc, and `otherwise` in all other cases. `what` is what was attempted.
Error error_of_exception(std::string_view what, std::string_view phase, Cause otherwise = Cause::kInternal);
// True when the machine or this process has run out of something: descriptors, memory. Worth another try
// later.
bool is_exhaustion(int error_number);
// Returns which limit to raise when a system call fails with this errno because something has run out, else
// nothing. EAGAIN is taken as the answer of fork or clone, which is the only call whose EAGAIN means that.
std::string limit_hint(int error_number);
// "ENOENT (No such file or directory)".
std::string errno_text(int error_number);

// Prints the message with its place and aborts; active in release builds too.
[[noreturn]] void assertion_failed(const char* expression, const char* file, int line,
                                   std::string_view message);

}  // namespace hostmesh

#define HOSTMESH_ASSERT(condition, message) \
  ((condition) ? void(0) : ::hostmesh::assertion_failed(#condition, __FILE__, __LINE__, message))
