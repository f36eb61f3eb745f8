#include "hostmesh/base/thread.hpp"

#include <pthread.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <new>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "hostmesh/base/fault.hpp"

namespace hostmesh {

namespace {

std::atomic<void (*)()> prologue_of_threads = nullptr;

// Blocks what comes from outside. A fault signal that is blocked kills without its handler.
class BlockedSignals {
 public:
  BlockedSignals() {
    sigset_t all;
    ::sigfillset(&all);
    for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS})
      ::sigdelset(&all, fault);
    ::pthread_sigmask(SIG_SETMASK, &all, &former_);
  }
  ~BlockedSignals() { ::pthread_sigmask(SIG_SETMASK, &former_, nullptr); }
  BlockedSignals(const BlockedSignals&) = delete;
  BlockedSignals& operator=(const BlockedSignals&) = delete;

 private:
  sigset_t former_{};
};

std::string hint_for(int error_number) {
  if (error_number == EPERM)
    return "a seccomp filter forbids clone3: the container's profile is older than its C library";
  // The kernel's answer is EAGAIN as well when there is no memory for the thread's stack.
  if (error_number == EAGAIN) return limit_hint(EAGAIN) + "; or one on memory: ulimit -v, memory.max";
  return limit_hint(error_number);
}

Error no_thread(const char* name, int error_number) {
  return Error(ErrorInfo{.cause = Cause::kResourceLimit,
                         .message = "no thread '" + std::string(name) + "' could be started",
                         .os_error = error_number,
                         .hint = hint_for(error_number)});
}

}  // namespace

void set_thread_prologue(void (*prologue)()) {
  prologue_of_threads = prologue;
}

Result<std::thread> start_thread(const char* name, std::function<void()> work, ThreadSignals signals) {
  if (const int simulated = fault::next(fault::Point::kThread); simulated != 0)
    return no_thread(name, simulated);
  std::optional<BlockedSignals> blocked;
  if (signals == ThreadSignals::kBlocked) blocked.emplace();
  try {
    return std::thread([name, work = std::move(work)] {
      ::pthread_setname_np(::pthread_self(), name);
      if (const auto prologue = prologue_of_threads.load()) prologue();
      work();
    });
  } catch (const std::system_error& failure) {
    return no_thread(name, failure.code().value());
  } catch (const std::bad_alloc&) {
    return no_thread(name, ENOMEM);
  }
}

}  // namespace hostmesh
