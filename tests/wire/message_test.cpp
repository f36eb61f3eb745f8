#include "hostmesh/wire/message.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace sample {
struct Plain {};
struct Named {
  static constexpr std::string_view kMessage = "create_procs";
};
template <class T>
struct Of {};
}  // namespace sample

namespace hostmesh::wire {
namespace {

TEST(Message, IsNamedAsInTheSource) {
  EXPECT_EQ(message_name<sample::Plain>(), "sample::Plain");
}

TEST(Message, SaysItsOwnNameWhenItHasOne) {
  EXPECT_EQ(message_name<sample::Named>(), "create_procs");
}

TEST(Message, OfATemplateIsNamedWithItsArguments) {
  EXPECT_EQ(message_name<sample::Of<sample::Plain>>(), "sample::Of<sample::Plain>");
}

TEST(Message, PortIsTheHashOfTheNameWithTheTopBitSet) {
  static_assert(message_port<sample::Named>() == (fnv1a64("create_procs") | std::uint64_t{1} << 63));
  // Frozen: the number is on the wire.
  EXPECT_EQ(message_port<sample::Named>(), 0xd5f95bfc77eae4ebULL);
}

}  // namespace
}  // namespace hostmesh::wire
