// Plugins that are wrong, through the program: each is an error that names file and reason, and the rest goes
// on.
#include <csignal>
#include <fstream>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace fs = std::filesystem;

class BadPlugin : public SystemTest {
 protected:
  BadPlugin() { write_plugins_yaml("process"); }

  // An allocator for each way to be wrong, and between them some that are right.
  void write_plugins_yaml(const std::string& chosen) const {
    const fs::path stock = (bin("..") / "lib/hostmesh/plugins").lexically_normal();
    const fs::path own = folder() / "own";
    fs::create_directories(own);
    std::ofstream(own / "libtext.so") << "this is text";
    fs::copy_file(stock / "libprocess.so", own / "libshort.so", fs::copy_options::overwrite_existing);
    fs::resize_file(own / "libshort.so", 1000);
    fs::copy_file(stock / "libprocess.so", own / "libopen.so", fs::copy_options::overwrite_existing);
    fs::permissions(own, fs::perms(0755));
    fs::permissions(own / "libtext.so", fs::perms(0644));
    fs::permissions(own / "libshort.so", fs::perms(0644));
    fs::permissions(own / "libopen.so", fs::perms(0666));
    std::string text = "plugin_path: [own, " + std::string(SAMPLE_PLUGINS) + ", " + stock.string() +
                       "]\ndefault: " + chosen + "\nallocators:\n";
    for (const char* each : {"process", "text", "short", "open", "no_entry", "future_abi", "throws_in_entry",
                             "at_load_aborts", "at_load_exits", "at_load_crashes", "at_load_hangs",
                             "at_entry_exits", "at_describe_aborts", "plain_c"}) {
      text += "  " + std::string(each) + ": {plugin: " + each + "}\n";
    }
    write_file("plugins.yaml", text);
  }
};

TEST_F(BadPlugin, EachIsListedWithItsReasonBesideThoseThatWork) {
  set_environment("HOSTMESH_PLUGIN_LOAD_TIMEOUT", "5s");
  Running hostmesh(this->hostmesh({"allocators", "-c", plugins_yaml().string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 2);
  EXPECT_EQ(hostmesh.err(), "");
  const auto lines = lines_of(hostmesh.out());
  ASSERT_EQ(lines.size(), 14U) << hostmesh.out();
  const std::vector<std::pair<const char*, const char*>> reasons = {
      {"text", "it is no shared library"},
      {"short", "it is truncated"},
      {"open", "it can be written to by others"},
      {"no_entry", "it does not export hostmesh_plugin_entry"},
      {"future_abi", "it speaks ABI version 99"},
      {"throws_in_entry", "its entry point threw an exception"},
      {"at_load_aborts", "being loaded it ended the process that tried it"},
      {"at_load_exits", "being loaded it ended the process that tried it: exited with code 0"},
      {"at_load_crashes", "being loaded it ended the process that tried it"},
      {"at_load_hangs", "did not return within 5s"},
      {"at_entry_exits", "in its entry point it ended the process"},
      {"at_describe_aborts", "describing itself it ended the process"}};
  EXPECT_TRUE(lines.front().starts_with("process (default): plugin process 1.0.0")) << lines.front();
  EXPECT_EQ(lines.back(), "plain_c: plugin plain_c 0.1");
  for (std::size_t i = 0; i < reasons.size(); ++i) {
    const auto& [name, reason] = reasons[i];
    const std::string& line = lines[i + 1];
    EXPECT_TRUE(line.starts_with(std::string(name) + ": plugin " + name + " cannot be used: ")) << line;
    EXPECT_NE(line.find("/lib" + std::string(name) + ".so"), std::string::npos) << line;
    EXPECT_NE(line.find(reason), std::string::npos) << line;
  }
}

TEST_F(BadPlugin, EndsARunBeforeAnythingIsStarted) {
  for (const char* each : {"text", "short", "open", "at_load_aborts", "at_load_exits", "at_entry_exits"}) {
    Running hostmesh(run({"-a", each}, {"touch", (folder() / "ran").string()}));

    ASSERT_TRUE(hostmesh.finish());

    EXPECT_EQ(hostmesh.status(), 2) << each;
    EXPECT_EQ(hostmesh.out(), "");
    EXPECT_NE(hostmesh.err().find("/lib" + std::string(each) + ".so refused: "), std::string::npos)
        << hostmesh.err();
    EXPECT_FALSE(fs::exists(folder() / "ran"));
  }
}

TEST_F(BadPlugin, ThatHangsEndsARunInItsTime) {
  set_environment("HOSTMESH_PLUGIN_LOAD_TIMEOUT", "500ms");
  Running hostmesh(run({"-a", "at_load_hangs"}, {"true"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 2);
  EXPECT_NE(hostmesh.err().find("did not return within 500ms"), std::string::npos) << hostmesh.err();
}

TEST_F(BadPlugin, ThatHangsGoesWithARunThatIsKilled) {
  set_environment("HOSTMESH_PLUGIN_LOAD_TIMEOUT", "1h");
  Running hostmesh(run({"-a", "at_load_hangs"}, {"true"}));
  ASSERT_TRUE(becomes_true([&] { return !processes_named("plugin-probe").empty(); }));

  hostmesh.signal(SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  expect_nothing_left();
}

TEST_F(BadPlugin, ThatHangsDoesNotHoldUpAnInterrupt) {
  set_environment("HOSTMESH_PLUGIN_LOAD_TIMEOUT", "1h");
  Running hostmesh(run({"-a", "at_load_hangs"}, {"true"}));
  ASSERT_TRUE(becomes_true([&] { return !processes_named("plugin-probe").empty(); }));

  hostmesh.signal(SIGINT);

  ASSERT_TRUE(hostmesh.finish());
  EXPECT_EQ(hostmesh.status(), 130) << hostmesh.err();
  EXPECT_EQ(hostmesh.err(), "");
}

// One of whose functions never returns once it is in use; that blocks the thread on which all is done.
class HangingPlugin : public SystemTest, public ::testing::WithParamInterface<const char*> {
 protected:
  HangingPlugin() {
    write_file("plugins.yaml", "plugin_path: [" + std::string(SAMPLE_PLUGINS) +
                                   "]\ndefault: hangs\nallocators:\n  hangs: {plugin: hangs, options: {in: " +
                                   GetParam() + "}}\n");
    blocked_ =
        "the reactor thread is blocked in the call '" + std::string(GetParam()) + "' of plugin 'hangs'";
  }
  std::string blocked_;
};

TEST_P(HangingPlugin, EndsARunWithItsNameInTheTimeOfALaunch) {
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "1s");
  Running hostmesh(run({"--extent", "hosts=2"}, {"touch", (folder() / "ran").string()}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  EXPECT_NE(hostmesh.err().find("hostmesh: phase launch: " + blocked_ + " for 1s"), std::string::npos)
      << hostmesh.err();
  EXPECT_FALSE(fs::exists(folder() / "ran"));
  expect_nothing_left();
}

TEST_P(HangingPlugin, DoesNotHoldUpASecondInterrupt) {
  set_environment("HOSTMESH_LAUNCH_TIMEOUT", "1h");
  Running hostmesh(run({"--extent", "hosts=2"}, {"true"}));
  ASSERT_TRUE(hostmesh.read_until([&] { return hostmesh.err().find("hangs\n") != std::string::npos; }));

  hostmesh.insist(SIGINT, SIGTERM);
  ASSERT_TRUE(hostmesh.finish());

  EXPECT_TRUE(hostmesh.status() == 130 || hostmesh.status() == 143) << hostmesh.status();
  EXPECT_NE(hostmesh.err().find("interrupted twice, and " + blocked_), std::string::npos) << hostmesh.err();
  expect_nothing_left();
}

INSTANTIATE_TEST_SUITE_P(In, HangingPlugin, ::testing::Values("create", "launch"),
                         [](const auto& one) { return std::string(one.param); });

TEST_F(BadPlugin, DoesNotKeepOthersFromBeingUsed) {
  Running hostmesh(run({"-a", "plain_c", "--extent", "hosts=2"}, {"echo", "fine"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(sorted_lines_of(hostmesh.out()), (std::vector<std::string>{"[0] fine", "[1] fine"}));
}

}  // namespace
}  // namespace hostmesh::test
