// Children that do not keep to the protocol: each ends for a reason of its own, within its deadline, and is
// seen to.
#include "hostmesh/bootstrap/node.hpp"
#include "hostmesh/channel/dial.hpp"
#include "hostmesh/hostmesh.hpp"
#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

using namespace std::chrono_literals;

struct Misdeed {
  std::string mode;
  StopReason::Kind kind;
  std::vector<std::string> words;  // in the reason or in the last lines of its stderr
  bool runs = false;               // it is seen running first
};

void PrintTo(const Misdeed& misdeed, std::ostream* out) {
  *out << misdeed.mode;
}

std::string all_of(const StopReason& reason) {
  std::string text = reason.text();
  for (const std::string& line : reason.stderr_tail) text += "\n" + line;
  return text;
}

void expect_words(const std::string& text, const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    EXPECT_NE(text.find(word), std::string::npos) << "'" << word << "' is not in: " << text;
  }
}

class BadChild : public SystemTest {
 protected:
  BadChild() {
    for (const auto* attribute :
         {&attribute::kHelloTimeout, &attribute::kStartTimeout, &attribute::kHeartbeatTimeout,
          &attribute::kProcessExitTimeout, &attribute::kKillTimeout}) {
      config_.set(ConfigLayer::kTestOverride, *attribute, 1s);
    }
  }

  Runtime make_runtime() { return Runtime({}, {.config = config_}); }

  std::unique_ptr<Alloc> allocate(Runtime& runtime, const std::string& mode, std::uint64_t hosts = 1) {
    BootstrapCommand command = BootstrapCommand::stock();
    command.argv = {HOSTMESH_BAD_CHILD};
    command.environment.push_back("BAD_CHILD=" + mode);
    command.environment.push_back("HOSTMESH_TEST_MARK=" + mark());
    return load_allocator(plugins_yaml(), "process", runtime, command)
        ->allocate({.extent = *Extent::parse_arguments("hosts=" + std::to_string(hosts))});
  }

  // The stream to its end, as letters c, r, s and f, and the last reason.
  struct Life {
    std::string events;
    StopReason reason;
    bool ended = false;
  };
  static Life life_of(Alloc& alloc) {
    Life life;
    const Deadline deadline = Deadline::after(kHang);
    for (;;) {
      const auto state = alloc.next(deadline);
      if (!state) return life;
      if (!*state) break;
      life.events += "crsf"[(*state)->index()];
      if (const auto* stopped = std::get_if<ProcStopped>(&**state)) life.reason = stopped->reason;
    }
    life.ended = true;
    return life;
  }

  Config config_;
};

class Misdeeds : public BadChild, public ::testing::WithParamInterface<Misdeed> {};

TEST_P(Misdeeds, EndsForItsOwnReason) {
  const Misdeed& misdeed = GetParam();
  Runtime runtime = make_runtime();
  const auto alloc = allocate(runtime, misdeed.mode);

  const Life life = life_of(*alloc);

  EXPECT_TRUE(life.ended) << "the stream has no end";
  EXPECT_EQ(life.events, misdeed.runs ? "crs" : "cs");
  EXPECT_EQ(StopReason::name(life.reason.kind), StopReason::name(misdeed.kind)) << all_of(life.reason);
  expect_words(all_of(life.reason), misdeed.words);
}

using Kind = StopReason::Kind;
INSTANTIATE_TEST_SUITE_P(
    Table, Misdeeds,
    ::testing::Values(Misdeed{"dies_at_once", Kind::kExited, {"code 5", "dies at once"}},
                      Misdeed{"killed_at_once", Kind::kKilled, {"signal 9"}},
                      Misdeed{"hangs", Kind::kWatchdog, {"did not say Hello within 1s"}},
                      Misdeed{"ignores_term", Kind::kWatchdog, {"did not say Hello within 1s"}},
                      Misdeed{"frozen_at_once", Kind::kWatchdog, {"did not say Hello within 1s"}},
                      Misdeed{"silent", Kind::kWatchdog, {"did not say Hello within 1s"}},
                      Misdeed{"wrong_secret", Kind::kExited, {"code 4", "another key"}},
                      Misdeed{"wrong_rank", Kind::kExited, {"code 4", "refuses"}},
                      Misdeed{"garbage", Kind::kWatchdog, {"broke the protocol", "not Hello"}},
                      Misdeed{"garbage_frame", Kind::kWatchdog, {"did not say Hello within 1s"}},
                      Misdeed{"started_first", Kind::kWatchdog, {"broke the protocol", "not Hello"}},
                      Misdeed{"wrong_version", Kind::kWatchdog, {"version 99"}},
                      Misdeed{"hello_twice", Kind::kWatchdog, {"said Hello twice"}},
                      Misdeed{"dies_after_hello", Kind::kExited, {"code 7", "dies after Hello"}},
                      Misdeed{"hangs_after_hello", Kind::kWatchdog, {"did not start its proc within 1s"}},
                      Misdeed{"wrong_proc", Kind::kWatchdog, {"somebody_else[3]"}},
                      Misdeed{"dies_when_running", Kind::kExited, {"code 8", "dies when running"}, true},
                      Misdeed{"freezes", Kind::kWatchdog, {"no sign of life for 1s"}, true},
                      Misdeed{"deaf", Kind::kWatchdog, {"no sign of life for 1s"}, true},
                      Misdeed{"two_connections", Kind::kWatchdog, {"no sign of life for 1s"}, true},
                      Misdeed{"closes_when_running",
                              Kind::kWatchdog,
                              {"closed its connection", "did not exit within 1s"},
                              true}),
    [](const auto& misdeed) { return misdeed.param.mode; });

TEST_F(BadChild, StopEndsThoseThatHangAndThoseThatIgnoreIt) {
  config_.set(ConfigLayer::kTestOverride, attribute::kHelloTimeout, 10min);
  for (const std::string mode : {"hangs", "ignores_term", "frozen_at_once", "silent"}) {
    Runtime runtime = make_runtime();
    const auto alloc = allocate(runtime, mode, 3);
    (void)alloc->next(Deadline::after(kHang));

    const auto stopped = alloc->stop_and_wait(Deadline::after(kHang));

    EXPECT_TRUE(stopped) << mode << ": " << stopped.error().text();
  }
}

TEST_F(BadChild, AStopThatIsNotGivenTimeNamesTheRanksThatLive) {
  Runtime runtime = make_runtime();
  const auto alloc = allocate(runtime, "ignores_term", 3);
  (void)alloc->next(Deadline::after(kHang));

  const auto stopped = alloc->stop_and_wait(Deadline::after(Duration::zero()));

  ASSERT_FALSE(stopped);
  EXPECT_EQ(stopped.error().cause(), Cause::kTimeout);
  expect_words(stopped.error().text(), {"3 of 3 ranks had not ended", "rank 0-2", "phase stop"});
}

TEST_F(BadChild, WhoWasTurnedAwayIsInTheErrorOfAMeshThatIsNotReady) {
  config_.set(ConfigLayer::kTestOverride, attribute::kHelloTimeout, 10min);
  Runtime runtime = make_runtime();
  auto alloc = allocate(runtime, "hangs");
  std::unique_ptr<Dial> stranger;
  runtime.run_on_reactor([&] {
    stranger = dial(runtime.reactor(), *runtime.node().gate.address(Transport::kUnix),
                    {.claim = {.role = Role::kChild, .allocation = "another"},
                     .key = Secret::random(),
                     .deadline = Deadline::after(kHang)},
                    config_, [](const auto&) {});
  });
  try {
    HostMesh::allocate(runtime, std::move(alloc), "mesh", {.within = 2s});
    FAIL() << "it came up";
  } catch (const Error& error) {
    expect_words(error.text(), {"1 of 1 hosts were not ready", "turned away here: ", "'another'"});
  }
  runtime.run_on_reactor([&] { stranger.reset(); });
}

TEST_F(BadChild, AHostThatIsNoneIsNamedWithItsEvidence) {
  Runtime runtime = make_runtime();
  try {
    HostMesh::allocate(runtime, allocate(runtime, "dies_after_hello", 2), "mesh", {.within = kHang});
    FAIL() << "it came up";
  } catch (const Error& error) {
    expect_words(error.text(), {"rank ", "(pid ", "phase hello", "code 7", "dies after Hello"});
  }
}

// The same through the command line: a folder of programs in which the bootstrap is the bad one.
class BadBootstrap : public SystemTest {
 protected:
  StartOptions run_bad(const std::string& mode, std::vector<std::string> options,
                       const std::string& only_rank = "") {
    std::filesystem::create_directory(folder() / "bin");
    std::filesystem::copy_file(bin("hostmesh"), folder() / "bin/hostmesh");
    std::filesystem::create_directories(folder() / "libexec/hostmesh");
    std::filesystem::copy_file(bin("../libexec/hostmesh/client"), folder() / "libexec/hostmesh/client");
    if (!mode.empty())
      std::filesystem::create_symlink(HOSTMESH_BAD_CHILD, folder() / "bin/hostmesh-bootstrap");
    set_environment("BAD_CHILD", mode);
    set_environment("GOOD_CHILD", bin("hostmesh-bootstrap").string());
    if (!only_rank.empty()) set_environment("BAD_CHILD_RANK", only_rank);
    StartOptions start = run(std::move(options), {"true"});
    start.argv.front() = (folder() / "bin/hostmesh").string();
    return start;
  }
};

TEST_F(BadBootstrap, NoneAtAllDoesNotComeUp) {
  // Neither beside the program nor beside its library.
  for (const auto& file : std::filesystem::directory_iterator(bin("../lib"))) {
    if (!file.path().filename().string().starts_with("libhostmesh.so") || file.is_symlink()) continue;
    std::filesystem::create_directory(folder() / "lib");
    std::filesystem::copy_file(file, folder() / "lib/libhostmesh.so." HOSTMESH_SOVERSION);
  }
  set_environment("LD_LIBRARY_PATH", (folder() / "lib").string());
  Running hostmesh(run_bad("", {"--extent", "hosts=2"}));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank ", "phase launch", "hostmesh-bootstrap", "ENOENT"});
}

TEST_F(BadBootstrap, OneThatStallsIsNamedWhenTheTimeIsOver) {
  Running hostmesh(run_bad("hangs", {"--extent", "hosts=3", "--timeout", "3s"}, "1"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 1", "(pid ", "phase ", "1 of 3 hosts", "3s", "in phase hello"});
  EXPECT_EQ(lines_of(hostmesh.err()).size(), 1U) << hostmesh.err();
}

TEST_F(BadBootstrap, OneThatDiesIsNamedWithItsLastWords) {
  Running hostmesh(run_bad("dies_at_once", {"--extent", "hosts=3"}, "2"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 2", "(pid ", "phase hello", "exited with code 5", "dies at once"});
}

TEST_F(BadBootstrap, OneThatFreezesIsKilledAndNamed) {
  set_environment("HOSTMESH_HEARTBEAT_TIMEOUT", "1s");
  Running hostmesh(run_bad("freezes", {"--extent", "hosts=3"}, "2"));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  expect_words(hostmesh.err(), {"rank 2", "(pid ", "phase host", "no sign of life"});
}

}  // namespace
}  // namespace hostmesh::test
