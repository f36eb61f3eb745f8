// Foreign code: which call into code that is not ours (a plugin's) each thread is inside of, so that a
// process which such code ends has last words that name it.
//
// Without this, a plugin that crashes ends the program with a signal and not a word.
#pragma once

#include <optional>
#include <string_view>

namespace hostmesh {

struct ForeignRecord;

// Recorded from construction to destruction, for the thread that constructs it, which must be the one that
// destroys it. `whose` and `where` make a sentence: "plugin 'x'", "in its call 'launch'". Cheap, and always
// recorded.
class ForeignCall {
 public:
  ForeignCall(std::string_view whose, std::string_view where);
  ~ForeignCall();
  ForeignCall(const ForeignCall&) = delete;
  ForeignCall& operator=(const ForeignCall&) = delete;

 private:
  ForeignRecord* record_;
};

// Records that the loaded library in which `address` lies is `whose`, instead of what was recorded before:
// threads that it starts by itself are known by that. Some dozens of libraries are kept. One thread at a
// time.
void note_foreign_library(std::string_view whose, const void* address);

// From here on, this process says one line on stderr when foreign code ends it, by a fault, abort(),
// std::terminate, exit() or quick_exit(), before it ends as it would have: with the same signal or status,
// through the handlers that were installed before. Installs handlers of SIGSEGV, SIGBUS, SIGILL, SIGFPE,
// SIGTRAP, SIGSYS and SIGABRT; threads of the library that start later, and the calling one, get a stack for
// them, so that a stack overflow is named too. Once is enough.
//
// For a program that owns its process, as the command line is: nothing calls it by itself.
void report_crashes_of_foreign_code();

// For a program's own _exit(), which no hook sees: says the line when foreign code calls it. `how` is
// "_exit"; the status is not always known.
void last_words_of_exit(const char* how, std::optional<int> status);

}  // namespace hostmesh
