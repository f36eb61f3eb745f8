#include "hostmesh/base/fd.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

namespace hostmesh {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) != -1;
}
UniqueFd some_fd() {
  return UniqueFd(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(UniqueFd, ClosesWhenItEnds) {
  int number = -1;
  {
    const UniqueFd fd = some_fd();
    number = fd.get();
    ASSERT_TRUE(is_open(number));
  }
  EXPECT_FALSE(is_open(number));
}

TEST(UniqueFd, MovingPassesTheDescriptorOnAndClosesTheOldOne) {
  UniqueFd first = some_fd();
  UniqueFd second = some_fd();
  const int kept = first.get();
  const int closed = second.get();
  second = std::move(first);
  EXPECT_EQ(second.get(), kept);
  EXPECT_TRUE(is_open(kept));
  EXPECT_FALSE(is_open(closed));
}

TEST(UniqueFd, ReleaseGivesItAway) {
  UniqueFd fd = some_fd();
  const UniqueFd taken(fd.release());
  EXPECT_FALSE(fd);
  EXPECT_TRUE(is_open(taken.get()));
}

}  // namespace
}  // namespace hostmesh
