// The whole suite, through the command line, against plugins that conform and plugins that do not.
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <fstream>
#include <iterator>
#include <set>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace json = boost::json;

// Under a sanitizer every process starts several times as slowly.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr const char* kPatience = "10";
#else
constexpr const char* kPatience = "3";
#endif
// A bound on a hang: what it takes is a few seconds.
constexpr Duration kWholeSuite = std::chrono::seconds(170);

class ConformanceSuite : public SystemTest {
 protected:
  struct Verdict {
    int status = -1;
    std::set<std::string> failed;
    std::set<std::string> passed;
    std::string text;
  };
  Verdict judge(const std::string& plugin, const std::string& only = "*",
                std::vector<std::string> more = {}) {
    std::vector<std::string> arguments = {"conformance", "--plugin", plugin,       "--only", only,
                                          "--format",    "json",     "--patience", kPatience};
    arguments.insert(arguments.end(), more.begin(), more.end());
    Running suite(hostmesh(arguments));
    EXPECT_TRUE(suite.finish(kWholeSuite));
    Verdict verdict{.status = suite.status(), .failed = {}, .passed = {}, .text = suite.out() + suite.err()};
    boost::system::error_code failure;
    const json::value report = json::parse(suite.out(), failure);
    if (failure) return verdict;
    for (const json::value& each : report.at("cases").as_array()) {
      const std::string id(each.at("id").as_string());
      if (each.at("verdict").as_string() == "failed") verdict.failed.insert(id);
      if (each.at("verdict").as_string() == "passed") verdict.passed.insert(id);
    }
    return verdict;
  }
  static std::string stock(const std::string& name) { return STOCK_PLUGINS "/lib" + name + ".so"; }
  static std::string sample(const std::string& name) { return SAMPLE_PLUGINS "/lib" + name + ".so"; }
};

TEST_F(ConformanceSuite, IsPassedByTheProcessAllocator) {
  const Verdict verdict = judge(stock("process"));

  EXPECT_EQ(verdict.status, 0) << verdict.text;
  EXPECT_EQ(verdict.failed, std::set<std::string>{}) << verdict.text;
  EXPECT_GT(verdict.passed.size(), 20U);
}

TEST_F(ConformanceSuite, IsPassedByProcsInsideThisProcess) {
  const Verdict verdict = judge(stock("local"));

  EXPECT_EQ(verdict.status, 0) << verdict.text;
  EXPECT_EQ(verdict.failed, std::set<std::string>{}) << verdict.text;
  EXPECT_GT(verdict.passed.size(), 15U);
}

TEST_F(ConformanceSuite, IsPassedByChildrenThatAreForked) {
  const Verdict verdict = judge(stock("process"), "*", {"--option", "start=fork-server"});

  EXPECT_EQ(verdict.status, 0) << verdict.text;
  EXPECT_EQ(verdict.failed, std::set<std::string>{}) << verdict.text;
}

TEST_F(ConformanceSuite, NamesTheOneRuleThatAPluginBreaks) {
  const Verdict verdict = judge(sample("ends_twice"), "order.*");

  EXPECT_EQ(verdict.status, 1) << verdict.text;
  EXPECT_EQ(verdict.failed, std::set<std::string>{"order.one-end"}) << verdict.text;
}

TEST_F(ConformanceSuite, SaysOfAPluginThatCannotBeLoadedWhyAndTriesNothingElse) {
  const Verdict verdict = judge(sample("no_entry"));

  EXPECT_EQ(verdict.status, 1);
  EXPECT_EQ(verdict.failed, std::set<std::string>{"load.accepted"});
  EXPECT_NE(verdict.text.find("does not export"), std::string::npos) << verdict.text;
}

TEST_F(ConformanceSuite, RefusesWhatTheCallerGotWrong) {
  EXPECT_EQ(judge("/nowhere/libx.so").status, 2);
  EXPECT_EQ(judge(stock("process"), "nothing.*").status, 2);
  const Verdict option = judge(stock("process"), "load.*", {"--option", "strat=exec"});
  EXPECT_EQ(option.status, 2);
  EXPECT_NE(option.text.find("start"), std::string::npos) << option.text;
}

TEST_F(ConformanceSuite, TakesOptionsAsPluginsYamlDoes) {
  EXPECT_EQ(judge(stock("process"), "config.*", {"--option", "start=fork-server"}).status, 0);
  EXPECT_EQ(judge(stock("process"), "config.*", {"--option", "start=[a]"}).status, 2);
}

TEST_F(ConformanceSuite, TakesAnAllocatorOfAPluginsYaml) {
  write_file("plugins.yaml", "plugin_path: [" STOCK_PLUGINS "]\nallocators:\n  mine: {plugin: process}\n");
  Running suite(hostmesh({"conformance", "-a", "mine", "-c", plugins_yaml().string(), "--only", "config.*",
                          "--patience", kPatience}));

  EXPECT_TRUE(suite.finish());

  EXPECT_EQ(suite.status(), 0) << suite.err();
  EXPECT_NE(suite.out().find("process 1.0.0 conforms"), std::string::npos) << suite.out();
}

// With cases under way that would go on for a while, and processes below them.
TEST_F(ConformanceSuite, EndsAtOnceWhenItIsInterrupted) {
  for (const int number : {SIGINT, SIGTERM}) {
    Running suite(hostmesh({"conformance", "--plugin", stock("process"), "--patience", "20", "--only",
                            "detect.*,stop.destroy-*,orphans.*"}));
    ASSERT_TRUE(suite.read_until_out("ok    load.accepted")) << suite.err();

    suite.signal(number);

    EXPECT_TRUE(suite.finish());
    EXPECT_EQ(suite.status(), 128 + number);
    EXPECT_NE(suite.err().find("interrupted by " + std::string(number == SIGINT ? "INT" : "TERM")),
              std::string::npos)
        << suite.err();
  }
}

// The plugin has done nothing wrong.
TEST_F(ConformanceSuite, HasNoVerdictOnAMachineThatHasNoDescriptorsLeft) {
  StartOptions suite = hostmesh({"conformance", "--plugin", stock("process"), "--only",
                                 "order.*,alloc.*,launch.*", "--patience", kPatience});
  suite.argv.insert(suite.argv.begin(), {"prlimit", "--nofile=36:36"});
  Running running(suite);

  EXPECT_TRUE(running.finish(kWholeSuite));

  EXPECT_EQ(running.status(), 2) << running.out() << running.err();
  EXPECT_NE(running.err().find("no verdict"), std::string::npos) << running.err();
}

TEST_F(ConformanceSuite, HasNoVerdictOnAMachineThatHasNoProcessesLeft) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root may become a user who has no other processes";
  StartOptions suite = hostmesh({"conformance", "--plugin", stock("process"), "--only",
                                 "order.*,alloc.*,launch.*", "--patience", kPatience});
  suite.argv.insert(suite.argv.begin(), {"setpriv", "--reuid=65432", "--regid=65432", "--clear-groups",
                                         "prlimit", "--nproc=30:30"});
  Running running(suite);

  EXPECT_TRUE(running.finish(kWholeSuite));

  EXPECT_EQ(running.status(), 2) << running.out() << running.err();
  EXPECT_NE(running.err().find("no verdict"), std::string::npos) << running.err();
}

TEST_F(ConformanceSuite, IsWhatThePageSays) {
  Running suite(hostmesh({"conformance", "--list", "--format", "markdown"}));
  EXPECT_TRUE(suite.finish());

  std::ifstream page(SOURCE_FOLDER "/docs/conformance.md");
  const std::string written((std::istreambuf_iterator<char>(page)), std::istreambuf_iterator<char>());

  EXPECT_EQ(suite.out(), written) << "hostmesh conformance --list --format markdown > docs/conformance.md";
}

}  // namespace
}  // namespace hostmesh::test
