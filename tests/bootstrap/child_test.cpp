// The real hostmesh-bootstrap, started by hand as a launcher would start it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <csignal>
#include <cstdlib>

#include "bootstrap/owner.hpp"
#include "hostmesh/bootstrap/messages.hpp"
#include "hostmesh/channel/stdio.hpp"
#include "hostmesh/process/detail/pidfd.hpp"
#include "support/process_test.hpp"

namespace hostmesh::bootstrap::test {
namespace {

std::string stock_child() {
  if (const char* folder = std::getenv("HOSTMESH_TEST_BINDIR"))
    return std::string(folder) + "/hostmesh-bootstrap";
  // By hand: beside the folder of this test program.
  return (std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() /
          "bin/hostmesh-bootstrap")
      .string();
}

class ChildTest : public hostmesh::test::ProcessTest {
 protected:
  void TearDown() override {
    alloc_.reset();
    owner_.reset();
    ProcessTest::TearDown();
  }

  Owner& owner() {
    if (!owner_) owner_.emplace();
    return *owner_;
  }
  Allocation& alloc() {
    if (!alloc_) alloc_.emplace(owner(), "alloc", 2);
    return *alloc_;
  }

  static SpawnRequest command(std::vector<std::string> argv, std::vector<std::string> environment) {
    environment.emplace_back("PATH=/usr/bin:/bin");
    return {.argv = std::move(argv), .environment = std::move(environment), .stdin_mode = StdioMode::kPipe};
  }
  static SpawnRequest bare(std::vector<std::string> environment = {}) {
    return command({stock_child()}, std::move(environment));
  }
  std::vector<std::string> invitation() {
    return {std::string(kEnvMode) + "=" + kModeStdin, std::string(kEnvAddr) + "=" + owner().addr.text()};
  }
  Payload payload(Rank rank = 0) {
    const PeerClaim claim = alloc().claim(rank);
    return {.allocation = claim.allocation,
            .rank = claim.rank,
            .incarnation = claim.incarnation,
            .key = key_for(alloc().secret, claim),
            .owner_identity = kOwnerIdentity,
            .listen_on = "unix",
            .config = {}};
  }
  Child& launch(const Payload& what, SpawnRequest request) {
    Child& child = start(std::move(request));
    if (child.process) child.process->write_stdin(pack_payload(what));
    return child;
  }
  Child& launch(const Payload& what) { return launch(what, bare(invitation())); }
  // Up to Running, with whoever else holds its stdout.
  Child& launch_running(SpawnRequest request) {
    Child& child = launch(payload(), std::move(request));
    owner().call([this] { alloc().on_event = [this] { reactor().post([this] { happened(); }); }; });
    EXPECT_TRUE(run_until([&] { return child.status || alloc().fate(0).has("running"); }))
        << "nothing becomes of it";
    owner().call([this] { alloc().on_event = nullptr; });
    EXPECT_TRUE(alloc().fate(0).has("running")) << child.err;
    return child;
  }
  Child& launch_running() { return launch_running(bare(invitation())); }

  void expect_end(Child& child, const ExitStatus& status, const std::string& said) {
    ASSERT_TRUE(run_until([&] { return child.finished(); }));
    EXPECT_EQ(child.status->text(), status.text());
    EXPECT_NE(child.err.find(said), std::string::npos) << child.err;
    EXPECT_EQ(child.out, "");
  }

 private:
  std::optional<Owner> owner_;
  std::optional<Allocation> alloc_;
};

TEST_F(ChildTest, WithoutItsEnvironmentItSaysWhatItIs) {
  Child& child = start(bare());
  expect_end(child, ExitStatus::exited(2), "hostmesh-bootstrap is started by hostmesh");
}

TEST_F(ChildTest, AnUnknownModeIsNamed) {
  Child& child = start(bare({"HOSTMESH_BOOTSTRAP_MODE=telepathy"}));
  expect_end(child, ExitStatus::exited(1), "telepathy");
}

TEST_F(ChildTest, AnAddressThatIsNoneIsNamed) {
  Child& child = start(bare({"HOSTMESH_BOOTSTRAP_MODE=stdin", "HOSTMESH_BOOTSTRAP_ADDR=nowhere"}));
  expect_end(child, ExitStatus::exited(1), "HOSTMESH_BOOTSTRAP_ADDR cannot be used");
}

TEST_F(ChildTest, AGarbagePayloadIsRefused) {
  Child& child = start(bare(invitation()));
  child.process->write_stdin(hostmesh::test::bytes("this is not a payload at all\n"));
  expect_end(child, ExitStatus::exited(1), "does not start as one should");
}

TEST_F(ChildTest, AnEndOfStdinAtOnceIsTheOwnersDeath) {
  Child& child = start(bare(invitation()));
  child.process->close_stdin();
  expect_end(child, ExitStatus::exited(1), "ended early");
}

TEST_F(ChildTest, ATransportItDoesNotKnowIsNamed) {
  Payload odd = payload();
  odd.listen_on = "pigeon";
  expect_end(launch(odd), ExitStatus::exited(1), "pigeon");
}

TEST_F(ChildTest, AWrongKeyIsTheEndAndItSaysSo) {
  Payload wrong = payload();
  wrong.key = Secret::random();
  Child& child = launch(wrong);
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status->text(), "exited with code 1");
  EXPECT_EQ(child.err.find("hostmesh-bootstrap: cannot reach its owner: "), 0u) << child.err;
  EXPECT_NE(child.err.find("another key"), std::string::npos) << child.err;
  EXPECT_EQ(alloc().phase(0), ChildPhase::kCreated);
}

TEST_F(ChildTest, AnOwnerThatCallsItselfOtherwiseIsNotTrusted) {
  Payload wrong = payload();
  wrong.owner_identity = "somebody else";
  expect_end(launch(wrong), ExitStatus::exited(1), "cannot reach its owner");
}

TEST_F(ChildTest, AnOwnerThatIsNotThereIsGivenUpInTime) {
  SpawnRequest request =
      bare({"HOSTMESH_BOOTSTRAP_MODE=stdin",
            "HOSTMESH_BOOTSTRAP_ADDR=unix:@hostmesh-nobody-" + ShortUuid::random().digits()});
  Payload hurried = payload();
  hurried.config["HELLO_TIMEOUT"] = "200ms";
  expect_end(launch(hurried, request), ExitStatus::exited(1), "cannot reach its owner");
}

TEST_F(ChildTest, TheEndOfTheLifelineWhileItDialsIsTheEnd) {
  SpawnRequest request =
      bare({"HOSTMESH_BOOTSTRAP_MODE=stdin",
            "HOSTMESH_BOOTSTRAP_ADDR=unix:@hostmesh-nobody-" + ShortUuid::random().digits()});
  Child& child = launch(payload(), request);
  child.process->close_stdin();
  ASSERT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.status->text(), "exited with code 1");
}

TEST_F(ChildTest, ItRunsAndExitsWithTheCodeThatItIsTold) {
  Child& child = launch_running();
  owner().call([&] { alloc().children().stop(0); });
  expect_end(child, ExitStatus::exited(0), "");
}

TEST_F(ChildTest, ItReportsWhereItListensAndWhoItsAgentIs) {
  Child& child = launch_running();
  const auto link = owner().call([&] { return alloc().started_links.contains(0); });
  EXPECT_TRUE(link);
  child.process->close_stdin();
  expect_end(child, ExitStatus::exited(1), "");
}

TEST_F(ChildTest, TheEndOfItsConnectionIsTheEnd) {
  Child& child = launch_running();
  owner().call([&] { owner().node.gate.dismiss("alloc"); });
  expect_end(child, ExitStatus::exited(1), "");
}

TEST_F(ChildTest, HelloAfterTheStopEndsIt) {
  Allocation& stopping = alloc();
  owner().call([&] {
    stopping.launcher->immortal = true;
    stopping.children().stop(0);
  });
  expect_end(launch(payload()), ExitStatus::exited(0), "");
}

// Its owner on another machine is cut off in the very moment of the Hello, and no connection ever ends.
TEST_F(ChildTest, OverStdioAnOwnerThatNeverAnswersTheHelloIsGivenUp) {
  const hostmesh::test::TemporaryFolder folder;
  const std::string to = folder.file("to");
  const std::string from = folder.file("from");
  ASSERT_EQ(::mkfifo(to.c_str(), S_IRWXU), 0);
  ASSERT_EQ(::mkfifo(from.c_str(), S_IRWXU), 0);
  // Both ways, so that neither open waits for the other side.
  StdioEnds ends{.in = UniqueFd(::open(from.c_str(), O_RDWR | O_CLOEXEC)),
                 .out = UniqueFd(::open(to.c_str(), O_RDWR | O_CLOEXEC)),
                 .description = "the child"};
  Payload over_stdio = payload();
  over_stdio.owner_identity = "owner";
  over_stdio.listen_on.reset();
  const Bytes packed = pack_payload(over_stdio);
  ASSERT_EQ(::write(ends.out.get(), packed.data(), packed.size()), static_cast<ssize_t>(packed.size()));
  Child& child = start(command({"/bin/sh", "-c", "exec " + stock_child() + " < " + to + " > " + from},
                               {std::string(kEnvMode) + "=" + kModeStdio, "HOSTMESH_OWNER_TIMEOUT=500ms",
                                "HOSTMESH_HEARTBEAT_TIMEOUT=200ms"}));
  std::shared_ptr<Connection> connection;
  const auto accepting = accept_over(
      reactor(), std::move(ends),
      {.identity = "owner", .key_of = [&](const PeerClaim&) -> Result<Secret> { return over_stdio.key; }},
      Config(), [&](Result<std::shared_ptr<Connection>> accepted) {
        ASSERT_TRUE(accepted) << accepted.error().text();
        connection = *std::move(accepted);
      });

  expect_end(child, ExitStatus::exited(1), "its owner has been silent for 500ms; leaving");

  EXPECT_TRUE(connection);
}

TEST_F(ChildTest, WaitingForARequestThatNeverComesHasItsTime) {
  Child& child = start(command({stock_child(), "--exec"}, {"HOSTMESH_HELLO_TIMEOUT=200ms"}));

  expect_end(child, ExitStatus::exited(126), "no whole request came on stdin within 200ms");
}

TEST_F(ChildTest, ItsSecretIsNeitherInItsArgumentsNorInItsEnvironment) {
  Child& child = launch_running();
  const std::string process = "/proc/" + std::to_string(child.process->pid());
  for (const char* file : {"/environ", "/cmdline"}) {
    std::ifstream in(process + file);
    const std::string text(std::istreambuf_iterator<char>(in), {});
    const Secret secret = payload().key;
    const auto key = secret.bytes();
    EXPECT_EQ(text.find(std::string(key.begin(), key.end())), std::string::npos) << file;
    EXPECT_FALSE(text.empty());
  }
  child.process->close_stdin();
  expect_end(child, ExitStatus::exited(1), "");
}

// A child with a process below it that is in a session of its own.
class Grandchild : public ChildTest {
 protected:
  void begin() {
    // The shell becomes the child, so what it left in the background is the child's.
    SpawnRequest request = command(
        {"/bin/sh", "-c",
         "setsid sh -c 'trap \"\" TERM HUP INT; echo $$; while :; do sleep 1000; done' </dev/null & exec '" +
             stock_child() + "'"},
        invitation());
    child = &launch_running(std::move(request));
    ASSERT_TRUE(run_until([&] { return child->out.ends_with("\n"); }));
    grandchild = detail::open_pidfd(std::stoi(child->out));
    ASSERT_TRUE(grandchild);
  }
  void expect_both_end(const ExitStatus& status) {
    // Both held its stdout.
    ASSERT_TRUE(run_until([&] { return child->finished(); }));
    EXPECT_EQ(child->status->text(), status.text()) << child->err;
    EXPECT_TRUE(detail::wait_dead(grandchild.get(), kHang));
  }

  Child* child = nullptr;
  UniqueFd grandchild;

  void TearDown() override {
    grandchild.reset();
    ChildTest::TearDown();
  }
};

TEST_F(Grandchild, GoesWithTheChildAtTheEndOfTheLifeline) {
  begin();
  child->process->close_stdin();
  expect_both_end(ExitStatus::exited(1));
}

TEST_F(Grandchild, GoesWithTheChildAtSigterm) {
  begin();
  ASSERT_TRUE(child->process->signal(SIGTERM));
  expect_both_end(ExitStatus::exited(128 + SIGTERM));
}

TEST_F(Grandchild, GoesWithTheChildWhenThatIsToldToStop) {
  begin();
  owner().call([&] { alloc().children().stop(0); });
  expect_both_end(ExitStatus::exited(0));
}

}  // namespace
}  // namespace hostmesh::bootstrap::test
