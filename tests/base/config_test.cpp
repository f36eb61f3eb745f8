#include "hostmesh/base/config.hpp"

#include <gtest/gtest.h>

namespace hostmesh {
namespace {

using namespace std::chrono_literals;
using attribute::kHelloTimeout;
using attribute::kPdeathsig;
using attribute::kTailLogLines;
using attribute::kWorkerThreads;

TEST(Config, WithoutLayersGivesDefaults) {
  const Config config;
  EXPECT_EQ(config.get(kHelloTimeout), 30s);
  EXPECT_EQ(config.get(kTailLogLines), 20U);
  EXPECT_TRUE(config.get(kPdeathsig));
}

TEST(Config, TheHighestLayerWins) {
  const char* environment[] = {"HOSTMESH_HELLO_TIMEOUT=4s", nullptr};
  Config config(environment);
  config.set(ConfigLayer::kClientOverride, kHelloTimeout, 1s);
  config.set(ConfigLayer::kFile, kHelloTimeout, 2s);
  config.set(ConfigLayer::kRuntime, kHelloTimeout, 3s);
  config.set(ConfigLayer::kTestOverride, kHelloTimeout, 5s);
  EXPECT_EQ(config.get(kHelloTimeout), 5s);
  config.clear(ConfigLayer::kTestOverride);
  EXPECT_EQ(config.get(kHelloTimeout), 4s);
  config.clear(ConfigLayer::kEnv);
  EXPECT_EQ(config.get(kHelloTimeout), 3s);
  config.clear(ConfigLayer::kRuntime);
  EXPECT_EQ(config.get(kHelloTimeout), 2s);
  config.clear(ConfigLayer::kFile);
  EXPECT_EQ(config.get(kHelloTimeout), 1s);
  config.clear(ConfigLayer::kClientOverride);
  EXPECT_EQ(config.get(kHelloTimeout), 30s);
}

TEST(Config, OnlyVariablesWithThePrefixAreRead) {
  const char* environment[] = {"HELLO_TIMEOUT=1s", "HOSTMESH_HELLO_TIMEOUT", "PATH=/bin",
                               "HOSTMESH_MESH_BOOTSTRAP_ENABLE_PDEATHSIG=0", nullptr};
  const Config config(environment);
  EXPECT_EQ(config.get(kHelloTimeout), 30s);
  EXPECT_FALSE(config.get(kPdeathsig));
}

TEST(Config, AVariableOfTheWrongTypeFallsThroughToTheLayerBelow) {
  const char* environment[] = {"HOSTMESH_HELLO_TIMEOUT=soon", "HOSTMESH_MESH_TAIL_LOG_LINES=-1", nullptr};
  Config config(environment);
  config.set(ConfigLayer::kFile, kHelloTimeout, 7s);
  EXPECT_EQ(config.get(kHelloTimeout), 7s);
  EXPECT_EQ(config.get(kTailLogLines), 20U);
}

TEST(Config, TextsAreCheckedWhenTheyAreSet) {
  Config config;
  EXPECT_TRUE(config.set_text(ConfigLayer::kFile, "HELLO_TIMEOUT", "1m"));
  EXPECT_EQ(config.get(kHelloTimeout), 1min);
  const auto unknown = config.set_text(ConfigLayer::kFile, "HELLO_TIMEOT", "1m");
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().cause(), Cause::kConfiguration);
  EXPECT_FALSE(config.set_text(ConfigLayer::kFile, "HELLO_TIMEOUT", "10"));
  EXPECT_FALSE(config.set_text(ConfigLayer::kFile, "MESH_TAIL_LOG_LINES", "many"));
  EXPECT_FALSE(config.set_text(ConfigLayer::kFile, "MESH_BOOTSTRAP_ENABLE_PDEATHSIG", "yes"));
  EXPECT_EQ(config.get(kHelloTimeout), 1min);
}

TEST(Config, PropagatesTheEffectiveValuesThatMay) {
  Config parent;
  parent.set(ConfigLayer::kFile, kHelloTimeout, 2s);
  parent.set(ConfigLayer::kRuntime, kHelloTimeout, 3s);
  parent.set(ConfigLayer::kRuntime, kWorkerThreads, 9);
  EXPECT_EQ(parent.propagated(), (std::map<std::string, std::string>{{"HELLO_TIMEOUT", "3s"}}));
}

TEST(Config, AParentsSnapshotIsTheLowestLayer) {
  Config child;
  child.install_from_parent({{"HELLO_TIMEOUT", "3s"}, {"FROM_THE_FUTURE", "x"}});
  EXPECT_EQ(child.get(kHelloTimeout), 3s);
  child.set(ConfigLayer::kFile, kHelloTimeout, 2s);
  EXPECT_EQ(child.get(kHelloTimeout), 2s);
}

TEST(Config, ACopyIsIndependent) {
  Config original;
  original.set(ConfigLayer::kRuntime, kHelloTimeout, 1s);
  Config copy(original);
  copy.set(ConfigLayer::kRuntime, kHelloTimeout, 2s);
  EXPECT_EQ(original.get(kHelloTimeout), 1s);
  EXPECT_EQ(copy.get(kHelloTimeout), 2s);
}

}  // namespace
}  // namespace hostmesh
