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

TEST(Export, IsAllNoneOrNames) {
  EXPECT_EQ(Export::parse("all")->kind, Export::Kind::kAll);
  EXPECT_EQ(Export::parse("none")->kind, Export::Kind::kNone);
  const auto named = Export::parse("A,B=1,C=");
  ASSERT_TRUE(named);
  EXPECT_EQ(named->kind, Export::Kind::kNamed);
  EXPECT_EQ(named->names, (std::vector<std::string>{"A", "B=1", "C="}));
  for (const char* wrong : {"", ",", "A,", "A,,B", "=1"}) {
    const auto refused = Export::parse(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().cause(), Cause::kInvalidArgument);
  }
}

TEST(Export, LeavesPlacesSessionsAndSecretsHere) {
  for (const char* name : {"HOME", "TMPDIR", "XDG_RUNTIME_DIR", "SSH_AUTH_SOCK", "DBUS_SESSION_BUS_ADDRESS",
                           "DISPLAY", "GITHUB_TOKEN", "MY_SECRET_THING", "AWS_ACCESS_KEY_ID",
                           "OPENAI_API_KEY", "PGPASSWORD", "TOKEN", "USER"})
    EXPECT_TRUE(stays_here(name)) << name;
  for (const char* name : {"PATH", "LD_LIBRARY_PATH", "OMP_NUM_THREADS", "LANG", "CUDA_VISIBLE_DEVICES",
                           "KEYBOARD", "TOKENIZERS_PARALLELISM", "MASTER_ADDR", "HOMEPAGE", "PYTHONPATH"})
    EXPECT_FALSE(stays_here(name)) << name;
}

TEST(Export, SaysWhatIsPassedOn) {
  const std::vector<std::string> ours{"PATH=/bin", "HOME=/home/me", "A=1", "B=2", "X_TOKEN=t"};
  using List = std::vector<std::string>;
  struct Row {
    const char* what;
    bool elsewhere;
    List expected;
    bool takes_hosts_own;
  };
  for (const Row& row : {Row{"usual", false, ours, false},
                         Row{"usual", true, {"PATH=/bin", "A=1", "B=2"}, true}, Row{"all", true, ours, false},
                         Row{"none", false, {}, true}, Row{"B,N=new,MISSING", true, {"B=2", "N=new"}, true},
                         Row{"A=other,X_TOKEN", false, {"X_TOKEN=t", "A=other"}, true}}) {
    const Export which = row.what == std::string_view("usual") ? Export{} : *Export::parse(row.what);
    const Exported passed = exported(ours, which, row.elsewhere);
    EXPECT_EQ(passed.variables, row.expected) << row.what;
    EXPECT_EQ(passed.takes_hosts_own, row.takes_hosts_own) << row.what;
  }
}

TEST(Export, AHostAddsWhatALoginHasAndNothingElse) {
  std::vector<std::string> variables{"PATH=/ours", "A=1"};
  add_hosts_own(variables,
                {"PATH=/theirs", "HOME=/root", "LC_ALL=C", "B=2", "SSH_CONNECTION=x", "A=9", "X_TOKEN=t"});
  EXPECT_EQ(variables,
            (std::vector<std::string>{"PATH=/ours", "A=1", "HOME=/root", "LC_ALL=C", "SSH_CONNECTION=x"}));
}

}  // namespace
}  // namespace hostmesh
