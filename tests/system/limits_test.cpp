// No more descriptors, no more processes: one clear failure, and the others are stopped.
#include <sys/stat.h>
#include <unistd.h>

#include <random>

#include "system/fixture.hpp"

namespace hostmesh::test {
namespace {

namespace fs = std::filesystem;

class Limits : public SystemTest {
 protected:
  // Succeeds, or fails with 3 and a reason.
  void expect_all_or_nothing(Running& hostmesh, std::size_t ranks, const std::string& limit) {
    ASSERT_TRUE(hostmesh.finish()) << limit << ": " << hostmesh.err();
    if (hostmesh.status() == 0) {
      EXPECT_EQ(lines_of(hostmesh.out()).size(), ranks) << limit;
    } else {
      EXPECT_EQ(hostmesh.status(), 3) << limit << ": " << hostmesh.err();
      EXPECT_NE(hostmesh.err().find("hostmesh: "), std::string::npos) << limit << ": " << hostmesh.err();
      bool names_it = false;
      for (const char* number : {"EAGAIN", "EMFILE", "ENFILE", "ENOMEM"})
        names_it = names_it || hostmesh.err().find(number) != std::string::npos;
      EXPECT_TRUE(names_it) << limit << ": " << hostmesh.err();
    }
    expect_nothing_left();
  }
};

TEST_F(Limits, WithoutDescriptorsItSaysSo) {
  Running hostmesh([this] {
    StartOptions options = run({"--extent", "hosts=40"}, {"true"});
    options.argv.insert(options.argv.begin(), {"prlimit", "--nofile=64:64"});
    return options;
  }());

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 3);
  EXPECT_NE(hostmesh.err().find("EMFILE"), std::string::npos) << hostmesh.err();
  EXPECT_NE(hostmesh.err().find("rank "), std::string::npos) << hostmesh.err();
}

TEST_F(Limits, AnyNumberOfDescriptorsIsEnoughOrSaysWhatIsNot) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the undefined-behaviour sanitizer's look at virtual tables needs descriptors of its own";
#endif
  for (int limit = 6; limit < 140; limit += 4) {
    StartOptions options =
        run_script({"--extent", "hosts=6", "--per-host", "procs=4", "--timeout", "20s"}, "echo here");
    const std::string text = "--nofile=" + std::to_string(limit) + ":" + std::to_string(limit);
    options.argv.insert(options.argv.begin(), {"prlimit", text});
    Running hostmesh(options);
    expect_all_or_nothing(hostmesh, 24, text);
  }
}

// The limit on processes does not bind root, and it counts all processes of a user: so somebody whom nobody
// else is.
class ProcessLimits : public Limits {
 protected:
  void SetUp() override {
    if (::geteuid() != 0) GTEST_SKIP() << "needs root to become another user";
    const fs::path tree = folder() / "tree";
    for (const char* part : {"bin", "lib/hostmesh/plugins", "libexec/hostmesh"})
      fs::create_directories(tree / part);
    for (const char* file : {"bin/hostmesh", "bin/hostmesh-bootstrap", "lib/libhostmesh.so.0",
                             "libexec/hostmesh/client", "lib/hostmesh/plugins/libprocess.so"}) {
      fs::copy_file(bin("..") / file, tree / file);
    }
    ::chmod(folder().c_str(), 0755);
    write_file("plugins.yaml",
               "plugin_path: [tree/lib/hostmesh/plugins]\ndefault: process\nallocators:\n  process: {plugin: "
               "process}\n");
    set_environment("LD_LIBRARY_PATH", (tree / "lib").string());
    std::random_device random;
    user_ = std::to_string(200'000 + random() % 1'000'000'000);
  }

  StartOptions limited(int processes, StartOptions options) const {
    options.argv.front() = (folder() / "tree/bin/hostmesh").string();
    options.argv.insert(options.argv.begin(),
                        {"setpriv", "--reuid=" + user_, "--regid=" + user_, "--clear-groups", "prlimit",
                         "--nproc=" + std::to_string(processes) + ":" + std::to_string(processes)});
    options.working_directory = folder().string();
    return options;
  }

 private:
  std::string user_;
};

TEST_F(ProcessLimits, WithoutALimitAnotherUserIsServedToo) {
  Running hostmesh(limited(10'000, run({"--extent", "hosts=2"}, {"id", "-u"})));

  ASSERT_TRUE(hostmesh.finish());

  EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
  EXPECT_EQ(lines_of(hostmesh.out()).size(), 2U);
}

TEST_F(ProcessLimits, AnyNumberOfProcessesIsEnoughOrSaysWhatIsNot) {
  for (int limit = 1; limit < 64; limit += limit < 10 ? 1 : 5) {
    Running hostmesh(limited(
        limit,
        run_script({"--extent", "hosts=4", "--per-host", "procs=4", "--timeout", "20s"}, "echo here")));
    expect_all_or_nothing(hostmesh, 16, "nproc " + std::to_string(limit));
  }
}

}  // namespace
}  // namespace hostmesh::test
