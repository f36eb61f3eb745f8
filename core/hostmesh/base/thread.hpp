// start_thread(): the one place where the library makes a thread.
//
// std::thread throws when there is none to be had, often on a thread where nobody catches. Here that is an
// Error.
#pragma once

#include <cstdint>
#include <functional>
#include <thread>

#include "hostmesh/base/result.hpp"

namespace hostmesh {

// kBlocked: signals are for the threads of the program. Those of a fault in the thread itself stay open. For
// a thread that runs code of others, kInherited: what that code starts would inherit the mask.
enum class ThreadSignals : std::uint8_t { kBlocked, kInherited };

// Starts a thread that runs `work`, which must not throw. `name` has at most 15 bytes and outlives the call.
// Fails with kResourceLimit, for a phase that the caller adds; its signal mask is what it was in any case.
Result<std::thread> start_thread(const char* name, std::function<void()> work,
                                 ThreadSignals signals = ThreadSignals::kBlocked);

// What each new thread calls first; null: nothing. For facilities that need something in every thread.
void set_thread_prologue(void (*prologue)());

}  // namespace hostmesh
