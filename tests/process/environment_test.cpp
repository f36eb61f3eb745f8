#include "hostmesh/process/environment.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

namespace hostmesh {
namespace {

TEST(InheritedEnvironment, HasWhatThisProcessHas) {
  ASSERT_EQ(::setenv("HOSTMESH_TEST_MARK", "a=b", 1), 0);
  const std::vector<std::string> now = inherited_environment();
  ASSERT_EQ(::unsetenv("HOSTMESH_TEST_MARK"), 0);

  EXPECT_EQ(std::count(now.begin(), now.end(), "HOSTMESH_TEST_MARK=a=b"), 1);
}

TEST(InheritedEnvironment, WhatIsNoVariableIsLeftOutAndNamedByItsPlaceAndItsFirstLetters) {
  const char* const entries[] = {"A=1", "master process nginx", "", "=x", "B=", "\033[2J", nullptr};

  const Environment environment = environment_of(entries);

  EXPECT_EQ(environment.variables, (std::vector<std::string>{"A=1", "B="}));
  EXPECT_EQ(environment.left_out, (std::vector<std::string>{"place=2 begins=master...", "place=3 begins=\"\"",
                                                            "place=4 begins=\"=x\"", "place=6 begins=?[2J"}));
}

TEST(InheritedEnvironment, MayBeNone) {
  EXPECT_TRUE(environment_of(nullptr).variables.empty());
}

}  // namespace
}  // namespace hostmesh
