// refuse_calls ERROR CALL... -- PROGRAM ARGUMENT...: PROGRAM behind a filter that answers ERROR to these
// calls.
//
// CALL: close_range, pidfd_open, pidfd_send_signal; waitid_pidfd and clone_pidfd are waitid and clone with a
// pidfd; clone3 is answered with ENOSYS whatever ERROR is, because the C library makes no thread otherwise.
// PROGRAM also finds the descriptor 9 open. Ends with 125 when there can be no filter.
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <string_view>
#include <vector>

namespace {

constexpr int kNoFilter = 125;
constexpr int kOpen = 9;

class Filter {
 public:
  explicit Filter(int error) : error_(error) {}

  bool refuse(std::string_view call) {
    if (call == "close_range") return add(SYS_close_range);
    if (call == "pidfd_open") return add(SYS_pidfd_open);
    if (call == "pidfd_send_signal") return add(SYS_pidfd_send_signal);
    if (call == "waitid_pidfd") return add(SYS_waitid, BPF_JEQ, P_PIDFD);
    if (call == "clone_pidfd") return add(SYS_clone, BPF_JSET, CLONE_PIDFD);
    if (call != "clone3") return false;
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1));
    program_.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS));
    return true;
  }

  bool install() {
    program_.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
    const sock_fprog filter{.len = static_cast<unsigned short>(program_.size()), .filter = program_.data()};
    return ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
  }

 private:
  bool add(unsigned number) { return add(number, BPF_JGE, 0); }
  // When the low half of the first argument passes the test.
  bool add(unsigned number, unsigned short test, unsigned value) {
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)));
    program_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 3));
    program_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, args)));
    program_.push_back(BPF_JUMP(static_cast<unsigned short>(BPF_JMP | test | BPF_K), value, 0, 1));
    program_.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | static_cast<unsigned>(error_)));
    return true;
  }

  int error_;
  std::vector<sock_filter> program_;
};

}  // namespace

int main(int count, char** arguments) {
  int at = 1;
  Filter filter(at < count && std::string_view(arguments[at]) == "EPERM" ? EPERM : ENOSYS);
  for (++at; at < count && std::string_view(arguments[at]) != "--"; ++at) {
    if (filter.refuse(arguments[at])) continue;
    std::fprintf(stderr, "refuse_calls: what is %s?\n", arguments[at]);
    return 2;
  }
  if (::dup2(STDERR_FILENO, kOpen) < 0 || !filter.install()) return kNoFilter;
  if (at + 1 < count) ::execvp(arguments[at + 1], arguments + at + 1);
  std::perror("refuse_calls");
  return 127;
}
