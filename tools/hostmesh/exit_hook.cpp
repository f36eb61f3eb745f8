// _exit() and _Exit() as the plugins of this program find them: no hook of the C library sees those ends, and
// one that came from a plugin would be an exit status without a word.
#include <sys/syscall.h>
#include <unistd.h>

#include "hostmesh/base/foreign_code.hpp"

namespace {

[[noreturn]] void end_process(int status) {
  for (;;) ::syscall(SYS_exit_group, status);
}

}  // namespace

extern "C" {

// Exported by the program (see its link options), so that libraries loaded later take these for the C
// library's.
[[gnu::visibility("default"), noreturn]] void _exit(int status) {
  hostmesh::last_words_of_exit("_exit", status);
  end_process(status);
}

[[gnu::visibility("default"), noreturn]] void _Exit(int status) noexcept {
  hostmesh::last_words_of_exit("_Exit", status);
  end_process(status);
}

}  // extern "C"
