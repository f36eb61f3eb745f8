// The allocator ssh with `push`: what is not there is copied, once, whole or not at all.
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "system/ssh_fixture.hpp"

namespace hostmesh::test {
namespace {

namespace fs = std::filesystem;

class SshPush : public Ssh {
 protected:
  // Every login runs its command through `shell`, one that copies through another where that is given; which
  // commands there were is said in a file.
  void start_lab(const std::string& shell = "sh", const std::string& options = "",
                 const std::string& hosts = "'node1'", const std::string& copying_shell = "") {
    write_file("login", "echo \"$SSH_ORIGINAL_COMMAND\" >>" + commands().string() + "\n" +
                            "XDG_CACHE_HOME=" + folder().string() + "; export XDG_CACHE_HOME\n" +
                            "case \"$SSH_ORIGINAL_COMMAND\" in *coming*)\n" +
                            (copying_shell.empty() ? shell : copying_shell) +
                            " -c \"$SSH_ORIGINAL_COMMAND\" ;; *)\n" + shell +
                            " -c \"$SSH_ORIGINAL_COMMAND\" ;; esac\n");
    Ssh::start_lab("ForceCommand exec sh " + (folder() / "login").string(),
                   "push: true" + std::string(options.empty() ? "" : ", ") + options, hosts);
  }

  fs::path commands() const { return folder() / "commands"; }
  // How many logins there were whose command has that text.
  std::ptrdiff_t logins_with(const std::string& text) const {
    std::ifstream in(commands());
    std::string line;
    std::ptrdiff_t count = 0;
    while (std::getline(in, line)) count += line.find(text) != std::string::npos ? 1 : 0;
    return count;
  }
  std::ptrdiff_t copies() const { return logins_with("cat >"); }

  fs::path cache() const { return folder() / "hostmesh"; }
  std::vector<std::string> cached() const {
    std::vector<std::string> names;
    if (!fs::exists(cache())) return names;
    for (const auto& entry : fs::directory_iterator(cache())) names.push_back(entry.path().filename());
    return names;
  }
  fs::path the_copy() const {
    const auto names = cached();
    EXPECT_EQ(names.size(), 1U);
    return cache() / (names.empty() ? "none" : names.front());
  }

  void expect_run(const std::string& extent = "hosts=1") const {
    Running hostmesh(run_script({"--extent", extent}, "echo here is $HOSTMESH_RANK"));
    ASSERT_TRUE(hostmesh.finish());
    EXPECT_EQ(hostmesh.status(), 0) << hostmesh.err();
    EXPECT_FALSE(hostmesh.out().empty());
  }
};

TEST_F(SshPush, TheFirstRunCopiesOurProgramAndTheSecondFindsIt) {
  start_lab();

  expect_run();
  EXPECT_EQ(copies(), 1);
  struct stat first {};
  ASSERT_EQ(::stat(the_copy().c_str(), &first), 0);
  EXPECT_EQ(first.st_mode & 07777, 0500U);
  EXPECT_EQ(first.st_size, static_cast<off_t>(fs::file_size(bin("hostmesh-bootstrap"))));

  expect_run();
  EXPECT_EQ(copies(), 1);
  EXPECT_EQ(logins_with("sh -c"), 4) << "not there, the copy, the start; and one for the second run";
}

TEST_F(SshPush, TheRanksOfOneHostWaitForOneCopy) {
  start_lab("sh", "slots: 6");

  expect_run("hosts=6");

  EXPECT_EQ(copies(), 1);
  EXPECT_EQ(cached().size(), 1U);
}

// As two clients would that begin at once: four hosts with one home.
TEST_F(SshPush, SeveralCopiesAtOnceDoNotDisturbEachOther) {
  start_lab("sh", "", "'node[1-4]'");

  expect_run("hosts=4");

  EXPECT_GE(copies(), 1);
  EXPECT_EQ(cached().size(), 1U);
}

TEST_F(SshPush, ADamagedCopyIsReplacedAndNeverRun) {
  start_lab();
  expect_run();
  const fs::path copy = the_copy();
  fs::permissions(copy, fs::perms::owner_all);
  {
    std::fstream file(copy, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(fs::file_size(copy) / 2));
    file.put('x').put('y').put('z');
  }

  expect_run();

  EXPECT_EQ(copies(), 2);
  expect_run();
  EXPECT_EQ(copies(), 2);
}

TEST_F(SshPush, ACopyThatWasCutIsReplacedAndNeverRun) {
  start_lab();
  expect_run();
  fs::permissions(the_copy(), fs::perms::owner_all);
  fs::resize_file(the_copy(), 4096);

  expect_run();

  EXPECT_EQ(copies(), 2);
}

TEST_F(SshPush, WhatDoesNotArriveWholeIsAnErrorAndLeavesNothing) {
  start_lab("sh", "", "'node1'", "head -c 100000 | sh");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "our program could not be copied there: the copy did not arrive whole"));
  EXPECT_TRUE(says(err, "100000 instead of"));
  EXPECT_TRUE(cached().empty());
}

TEST_F(SshPush, AFullDiskIsToldInTheWordsOfTheHost) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can make a small file system";
  write_file("small", "mkdir -p " + cache().string() +
                          " && exec unshare -m sh -c 'mount -t tmpfs -o size=64k none " + cache().string() +
                          " && exec sh -c \"$SSH_ORIGINAL_COMMAND\"'\n");
  start_lab("sh", "", "'node1'", "sh " + (folder() / "small").string());

  const std::string err = failure("hosts=1");

  if (err.find("unshare") != std::string::npos) GTEST_SKIP() << err;
  EXPECT_TRUE(says(err, "our program could not be copied there: there is no room on its disk"));
  EXPECT_TRUE(says(err, "No space left on device"));
}

TEST_F(SshPush, AMachineOfAnotherKindIsNotGivenOurProgram) {
  fs::create_directory(folder() / "bin");
  write_file("bin/uname", "#!/bin/sh\necho Plan9 mips\n");
  fs::permissions(folder() / "bin/uname", fs::perms::owner_all);
  start_lab("PATH=" + (folder() / "bin").string() + ":$PATH exec sh");

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "it is a machine of another kind"));
  EXPECT_TRUE(says(err, "this machine is Plan9 mips, and our program is for Linux"));
  EXPECT_EQ(copies(), 0);
}

TEST_F(SshPush, TheLoginShellMayBeOfTheCshFamilyAndItsProfileMayPrint) {
  if (::access("/bin/csh", X_OK) != 0) GTEST_SKIP() << "/bin/csh is not installed";
  start_lab("echo welcome; seq 1 1000; exec /bin/csh");

  expect_run();

  EXPECT_EQ(copies(), 1);
}

TEST_F(SshPush, AClientThatIsKilledWhileItCopiesLeavesNothingThatRuns) {
  start_lab("sh", "", "'node1'", "(head -c 100000; " + sleep_marked() + ") | sh");
  Running hostmesh(run({"--extent", "hosts=1"}, {"true"}));
  ASSERT_TRUE(becomes_true([&] { return !processes_named("sleep").empty(); }));
  ASSERT_TRUE(the_copy().filename().string().starts_with(".coming-"));

  ::kill(hostmesh.pid(), SIGKILL);

  ASSERT_TRUE(hostmesh.finish());
  for (const pid_t pid : processes_named("sleep")) ::kill(pid, SIGKILL);
  EXPECT_TRUE(becomes_true([&] { return cached().empty(); }));
}

TEST_F(SshPush, TheCopyMayLieInAnotherFolder) {
  start_lab("sh", "push_folder: " + (folder() / "elsewhere/deeper").string());

  expect_run();

  EXPECT_TRUE(cached().empty());
  EXPECT_FALSE(fs::is_empty(folder() / "elsewhere/deeper"));
  expect_run();
  EXPECT_EQ(copies(), 1);
}

TEST_F(SshPush, AFolderOfAnotherUserIsNotUsed) {
  if (::geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  fs::create_directory(folder() / "elsewhere");
  ASSERT_EQ(::chown((folder() / "elsewhere").c_str(), 65534, 65534), 0);
  start_lab("sh", "push_folder: " + (folder() / "elsewhere").string());

  const std::string err = failure("hosts=1");

  EXPECT_TRUE(says(err, "our program could not be copied there: the folder for it cannot be used"));
  EXPECT_TRUE(says(err, "is of another user"));
  EXPECT_TRUE(says(err, "push_folder"));
  EXPECT_TRUE(fs::is_empty(folder() / "elsewhere"));
}

TEST_F(SshPush, AFolderThatCannotBeMadeIsTold) {
  write_file("file", "no folder");
  start_lab("sh", "push_folder: " + (folder() / "file/deeper").string());

  EXPECT_TRUE(
      says(failure("hosts=1"), "our program could not be copied there: the folder for it cannot be used"));
}

TEST_F(SshPush, AMachineWithoutCksumIsToldBeforeAnythingIsCopied) {
  fs::create_directory(folder() / "bin");
  for (const char* tool : {"sh", "uname", "cat", "mkdir", "mv", "rm", "find", "chmod", "test"}) {
    fs::create_symlink(
        fs::exists(fs::path("/bin") / tool) ? fs::path("/bin") / tool : fs::path("/usr/bin") / tool,
        folder() / "bin" / tool);
  }
  start_lab("PATH=" + (folder() / "bin").string() + " exec sh");

  EXPECT_TRUE(says(failure("hosts=1"), "it has no cksum, which compares the copy"));
  EXPECT_EQ(copies(), 0);
}

TEST_F(SshPush, AFileThatIsNotThereIsToldBeforeAnythingStarts) {
  start_lab("sh", "push_file: /nowhere/hostmesh-bootstrap");

  EXPECT_TRUE(says(failure("hosts=1"), "option 'push': /nowhere/hostmesh-bootstrap cannot be read"));
}

}  // namespace
}  // namespace hostmesh::test
