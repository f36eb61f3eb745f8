#include "hostmesh/process/detail/launch_pad.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

namespace hostmesh::detail {

LaunchPad::LaunchPad(Numbers numbers)
    : stack_(
          ::mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  // The page below it faults.
  if (stack_ != MAP_FAILED) ::mprotect(stack_, kGuard, PROT_NONE);
  if (numbers == Numbers::kAny) return;
  for (UniqueFd& number : numbers_) number.reset(::open("/dev/null", O_RDWR | O_CLOEXEC));
}

LaunchPad::~LaunchPad() {
  if (stack_ != MAP_FAILED) ::munmap(stack_, kStack);
}

void* LaunchPad::stack_top() const {
  return stack_ == MAP_FAILED ? nullptr : static_cast<char*>(stack_) + kStack;
}

void LaunchPad::lend(std::span<DescriptorMove> moves) {
  for (DescriptorMove& move : moves) {
    if (lent_ == numbers_.size() || !numbers_[lent_]) return;
    const int number = numbers_[lent_].get();
    if (move.source <= number || ::dup3(move.source, number, O_CLOEXEC) < 0) continue;
    move.source = number;
    ++lent_;
  }
}

// A pipe's end that stayed open here would never show its reader the end.
void LaunchPad::take_back() {
  if (lent_ == 0) return;
  const UniqueFd null(::open("/dev/null", O_RDWR | O_CLOEXEC));
  for (std::size_t i = 0; i < lent_; ++i) {
    if (!null || ::dup3(null.get(), numbers_[i].get(), O_CLOEXEC) < 0) numbers_[i].reset();
  }
  lent_ = 0;
}

}  // namespace hostmesh::detail
