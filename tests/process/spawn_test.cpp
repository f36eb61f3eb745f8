#include "hostmesh/process/spawn.hpp"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>

#include "fixture.hpp"
#include "hostmesh/process/rlimit.hpp"

namespace hostmesh::test {
namespace {

class Spawn : public ProcessTest {
 protected:
  Spawn() {
    std::string pattern = (std::filesystem::temp_directory_path() / "hostmesh-spawn-XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
  }
  ~Spawn() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name, const std::string& text, mode_t mode) {
    const std::string path = folder_ + "/" + name;
    std::ofstream(path) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }

  // The error of a launch that must fail.
  static ErrorInfo failure(const SpawnRequest& request) {
    const Result<SpawnedProcess> spawned = spawn(request);
    EXPECT_FALSE(spawned);
    if (spawned) return {};
    EXPECT_EQ(spawned.error().info().phase, "launch");
    return spawned.error().info();
  }

  std::string folder_;
};

TEST_F(Spawn, ExactExitCodesArrive) {
  for (const int code : {0, 1, 3, 127, 255}) {
    EXPECT_EQ(run(shell("exit " + std::to_string(code))).status, ExitStatus::exited(code));
  }
}

TEST_F(Spawn, ExactSignalsArrive) {
  for (const int signal : {SIGTERM, SIGKILL, SIGPIPE, SIGUSR1}) {
    EXPECT_EQ(run(shell("kill -" + std::to_string(signal) + " $$")).status,
              ExitStatus::signalled(signal, false));
  }
}

TEST_F(Spawn, ACoreDumpIsReported) {
  SpawnRequest request = shell("ulimit -c unlimited; exec '" HOSTMESH_TEST_HELPER "' segfault");
  request.working_directory = folder_;
  for (const char* sanitizer : {"ASAN", "TSAN"}) {
    request.environment.push_back(std::string(sanitizer) + "_OPTIONS=disable_coredump=0");
  }
  rlimit limit{};
  ::getrlimit(RLIMIT_CORE, &limit);
  std::ifstream pattern_file("/proc/sys/kernel/core_pattern");
  std::string pattern;
  std::getline(pattern_file, pattern);
  if (limit.rlim_max == 0 || pattern.empty()) GTEST_SKIP() << "this machine writes no cores";
  EXPECT_EQ(run(request).status, ExitStatus::signalled(SIGSEGV, true));
}

TEST_F(Spawn, ArgumentsAndEnvironmentArriveAsTheyAreAndNothingElse) {
  ::setenv("HOSTMESH_TEST_LEAK", "1", 1);
  SpawnRequest request{.argv = {"sh", "-c", "printf '%s|' \"$0\" \"$@\"; env", "a b", "", "c\n'd"},
                       .environment = {"PATH=/nowhere:/usr/bin:/bin", "X=y=z"}};
  const Child& child = run(request);
  EXPECT_TRUE(child.out.starts_with("a b||c\n'd|")) << child.out;
  EXPECT_NE(child.out.find("X=y=z\n"), std::string::npos);
  EXPECT_EQ(child.out.find("HOSTMESH_TEST_LEAK"), std::string::npos);
}

TEST_F(Spawn, TheWorkingDirectoryIsSetBeforeExec) {
  file("here.sh", "#!/bin/sh\npwd -P\n", 0755);
  SpawnRequest request = shell("");
  request.argv = {"./here.sh"};
  request.working_directory = folder_;
  EXPECT_EQ(run(request).out, std::filesystem::canonical(folder_).string() + "\n");
}

TEST_F(Spawn, AMissingFileIsENOENTWithCommandAndHint) {
  const ErrorInfo info = failure({.argv = {"/nonexistent/program", "with space"}});
  EXPECT_EQ(info.cause, Cause::kSpawnFailed);
  EXPECT_EQ(info.os_error, ENOENT);
  EXPECT_EQ(info.command, "/nonexistent/program 'with space'");
  EXPECT_FALSE(info.hint.empty());
}

TEST_F(Spawn, ANameThatPATHDoesNotHaveIsENOENT) {
  const ErrorInfo info =
      failure({.argv = {"hostmesh-no-such-program"}, .environment = {"PATH=/usr/bin:/bin"}});
  EXPECT_EQ(info.os_error, ENOENT);
  EXPECT_NE(info.hint.find("PATH"), std::string::npos);
}

TEST_F(Spawn, AMissingInterpreterIsToldFromAMissingFile) {
  const ErrorInfo info = failure({.argv = {file("script", "#!/nonexistent/interpreter\n", 0755)}});
  EXPECT_EQ(info.os_error, ENOENT);
  EXPECT_NE(info.hint.find("interpreter"), std::string::npos);
}

TEST_F(Spawn, AFileWithoutPermissionIsEACCESAlsoWhenSearched) {
  file("plain", "#!/bin/sh\n", 0644);
  EXPECT_EQ(failure({.argv = {folder_ + "/plain"}}).os_error, EACCES);
  EXPECT_EQ(failure({.argv = {"plain"}, .environment = {"PATH=" + folder_ + ":/usr/bin"}}).os_error, EACCES);
}

TEST_F(Spawn, AFileThatIsNoProgramIsENOEXEC) {
  const ErrorInfo info = failure({.argv = {file("text", "hello\n", 0755)}});
  EXPECT_EQ(info.os_error, ENOEXEC);
  EXPECT_NE(info.hint.find("#!"), std::string::npos);
}

TEST_F(Spawn, TooLargeAnEnvironmentIsE2BIG) {
  SpawnRequest request = shell("true");
  request.environment.push_back("BIG=" + std::string(3 << 20, 'x'));
  const ErrorInfo info = failure(request);
  EXPECT_EQ(info.os_error, E2BIG);
  EXPECT_EQ(Error(info).text().find("xxxx"), std::string::npos) << "the environment is in the message";
}

TEST_F(Spawn, AWorkingDirectoryThatIsMissingOrNoFolderIsNamed) {
  SpawnRequest request = shell("true");
  request.working_directory = folder_ + "/missing";
  ErrorInfo info = failure(request);
  EXPECT_EQ(info.os_error, ENOENT);
  EXPECT_NE(info.message.find("chdir to '" + request.working_directory + "'"), std::string::npos);
  request.working_directory = file("file", "", 0644);
  EXPECT_EQ(failure(request).os_error, ENOTDIR);
}

TEST_F(Spawn, AFolderThatIsOnlyPreferredIsLeftAloneWhereItCannotBeEntered) {
  SpawnRequest request = shell("pwd");
  request.working_directory_is = WorkingDirectory::kPreferred;
  request.working_directory = folder_;
  EXPECT_EQ(run(request).out, std::filesystem::canonical(folder_).string() + "\n");

  const std::string own = std::filesystem::current_path().string() + "\n";
  for (const std::string& folder : {folder_ + "/missing", file("file", "", 0644), std::string(5000, 'x')}) {
    request.working_directory = folder;
    EXPECT_EQ(run(request).out, own) << folder;
  }
}

TEST_F(Spawn, WithOnePipeForBothStreamsTheOrderIsThatOfTheWrites) {
  SpawnRequest request =
      shell("for i in 1 3 5 7 9; do echo $i; echo $((i+1)) >&2; done; exec 1>&-; echo last >&2");
  request.stderr_mode = StdioMode::kStdout;

  Child& child = start(request);
  child.err_ended = true;  // there is no such pipe
  EXPECT_TRUE(run_until([&] { return child.finished(); }));

  EXPECT_EQ(child.out, "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\nlast\n");
  EXPECT_EQ(child.err, "");
}

TEST_F(Spawn, RequestsThatCannotBeAreRefusedBeforeAnythingIsTried) {
  SpawnRequest good = shell("true");
  const auto cause = [&](const auto& spoil) {
    SpawnRequest request = good;
    spoil(request);
    return failure(request).cause;
  };
  EXPECT_EQ(cause([](auto& r) { r.argv.clear(); }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.argv.push_back(std::string("a\0b", 3)); }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.environment.push_back("NOVALUE"); }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.stdout_mode = StdioMode::kStdout; }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.stdin_mode = StdioMode::kStdout; }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.passed = {{0, 2}}; }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.passed = {{0, 3}, {1, 3}}; }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.passed = {{9999, 3}}; }), Cause::kInvalidArgument);
  EXPECT_EQ(cause([](auto& r) { r.parent_death_signal = 1000; }), Cause::kInvalidArgument);
}

TEST_F(Spawn, WithoutDescriptorsTheCauseIsAResourceLimit) {
#if defined(__SANITIZE_ADDRESS__)
  GTEST_SKIP() << "the undefined-behaviour sanitizer's look at virtual tables needs descriptors of its own";
#endif
  rlimit former{};
  ::getrlimit(RLIMIT_NOFILE, &former);
  rlimit tight = former;
  tight.rlim_cur = open_descriptors();  // 0 to the last are in use, and room for one at most
  ::setrlimit(RLIMIT_NOFILE, &tight);
  const Result<SpawnedProcess> spawned = spawn(shell("true"));
  ::setrlimit(RLIMIT_NOFILE, &former);
  ASSERT_FALSE(spawned);
  EXPECT_EQ(spawned.error().cause(), Cause::kResourceLimit);
  EXPECT_EQ(spawned.error().info().os_error, EMFILE);
}

TEST_F(Spawn, TheChildHasOnlyItsStreamsAndWhatIsPassed) {
  std::vector<UniqueFd> many;
  for (int i = 0; i < 300; ++i) many.emplace_back(::open("/dev/null", O_RDONLY));  // inheritable on purpose
  SpawnRequest request = helper({"descriptors"});
  EXPECT_EQ(run(request).out, "0\n1\n2\n");
  request.passed = {{many[250].get(), 3}, {many[0].get(), 100}};
  EXPECT_EQ(run(request).out, "0\n1\n2\n3\n100\n");
}

TEST_F(Spawn, PassedDescriptorsMayCollideInEveryWay) {
  // Given five files whose numbers are each other's targets, in a circle
  std::vector<UniqueFd> files;
  std::vector<std::string> names;
  for (int i = 0; i < 5; ++i) {
    names.push_back(file("f" + std::to_string(i), "", 0644));
    files.emplace_back(::open(names.back().c_str(), O_RDONLY | O_CLOEXEC));
  }
  SpawnRequest request = shell("");
  std::string script;
  for (std::size_t i = 0; i < files.size(); ++i) {
    const int target = files[(i + 1) % files.size()].get();
    request.passed.push_back({files[i].get(), target});
    script += "readlink /proc/$$/fd/" + std::to_string(target) + ";";
  }
  request.argv = {"/bin/sh", "-c", script};
  // Then each is where it should be
  std::string expected;
  for (const std::string& name : names) expected += name + "\n";
  EXPECT_EQ(run(request).out, expected);
  // and they are still ours
  for (const UniqueFd& fd : files) EXPECT_GE(::fcntl(fd.get(), F_GETFD), 0);
}

TEST_F(Spawn, AParentWithoutStandardStreamsCanStillLaunch) {
  // Given a parent whose 0 to 2 are closed, so that the pipes take those numbers
  std::vector<UniqueFd> saved;
  for (const int fd : {0, 1, 2}) saved.emplace_back(::fcntl(fd, F_DUPFD_CLOEXEC, 100));
  for (const int fd : {0, 1, 2}) ::close(fd);
  SpawnRequest request = shell("cat; echo err >&2");
  request.stdin_mode = StdioMode::kPipe;
  Result<SpawnedProcess> spawned = spawn(request);
  SpawnRequest inheriting = shell("cat; readlink /proc/$$/fd/0");
  inheriting.stdin_mode = StdioMode::kInherit;
  std::vector<UniqueFd> moved;
  if (spawned) {
    for (UniqueFd* fd :
         {&spawned->pidfd, &spawned->stdin_pipe, &spawned->stdout_pipe, &spawned->stderr_pipe}) {
      UniqueFd higher(::fcntl(fd->get(), F_DUPFD_CLOEXEC, 100));
      *fd = std::move(higher);
    }
  }
  Result<SpawnedProcess> inherited = spawn(inheriting);
  if (inherited) {
    for (UniqueFd* fd : {&inherited->pidfd, &inherited->stdout_pipe, &inherited->stderr_pipe}) {
      UniqueFd higher(::fcntl(fd->get(), F_DUPFD_CLOEXEC, 100));
      *fd = std::move(higher);
    }
  }
  for (int fd = 0; fd < 3; ++fd) ::dup2(saved[static_cast<std::size_t>(fd)].get(), fd);
  ASSERT_TRUE(spawned) << spawned.error().text();
  ASSERT_TRUE(inherited) << inherited.error().text();
  // Then every stream is connected all the same
  Child child;
  ChildProcess process(reactor(), *std::move(spawned), record_in(child));
  process.write_stdin({'i', 'n', '\n'});
  process.close_stdin();
  EXPECT_TRUE(run_until([&] { return child.finished(); }));
  EXPECT_EQ(child.out, "in\n");
  EXPECT_EQ(child.err, "err\n");
  // and what cannot be inherited is /dev/null
  Child other;
  ChildProcess second(reactor(), *std::move(inherited), record_in(other));
  EXPECT_TRUE(run_until([&] { return other.finished(); }));
  EXPECT_EQ(other.out, "/dev/null\n");
}

TEST_F(Spawn, NoSignalIsIgnoredOrBlockedInTheChild) {
  // Given a parent that ignores and blocks
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGUSR2, SIG_IGN);
  sigset_t some;
  sigset_t former;
  ::sigemptyset(&some);
  ::sigaddset(&some, SIGTERM);
  ::sigaddset(&some, SIGRTMIN + 5);
  ::pthread_sigmask(SIG_BLOCK, &some, &former);
  SpawnRequest request = shell("");
  request.argv = {"/bin/cat", "/proc/self/status"};
  const std::string status = run(request).out;
  EXPECT_EQ(field_of(status, "SigBlk"), "0000000000000000");
  EXPECT_EQ(field_of(status, "SigIgn"), "0000000000000000");
  // Then the parent's own are as they were
  sigset_t now;
  ::pthread_sigmask(SIG_SETMASK, &former, &now);
  EXPECT_EQ(::sigismember(&now, SIGTERM), 1);
  EXPECT_EQ(::sigismember(&now, SIGINT), 0);
  EXPECT_EQ(::signal(SIGUSR2, SIG_DFL), SIG_IGN);
}

TEST_F(Spawn, TheChildLeadsAGroupUnlessItShallStayInOurs) {
  SpawnRequest request = helper({"group"});
  Child& own = run(request);
  const std::string pid = std::to_string(own.process->pid());
  EXPECT_EQ(own.out, pid + " " + pid + "\n");
  request.group = ProcessGroup::kParents;
  Child& ours = run(request);
  EXPECT_EQ(ours.out, std::to_string(ours.process->pid()) + " " + std::to_string(::getpgrp()) + "\n");
}

TEST_F(Spawn, TheSoftLimitOnDescriptorsIsGivenBack) {
  rlimit former{};
  ::getrlimit(RLIMIT_NOFILE, &former);
  rlimit low = former;
  low.rlim_cur = 256;
  ::setrlimit(RLIMIT_NOFILE, &low);
  const Result<std::uint64_t> before = raise_descriptor_limit();
  ASSERT_TRUE(before);
  EXPECT_EQ(*before, 256U);
  rlimit raised{};
  ::getrlimit(RLIMIT_NOFILE, &raised);
  EXPECT_EQ(raised.rlim_cur, former.rlim_max);
  SpawnRequest request = helper({"limit"});
  EXPECT_EQ(run(request).out, std::to_string(former.rlim_max) + "\n");
  request.restore_nofile = *before;
  EXPECT_EQ(run(request).out, "256\n");
  ::setrlimit(RLIMIT_NOFILE, &former);
}

TEST_F(Spawn, AChildThatNobodyTakesIsKilledAndReaped) {
  pid_t pid = 0;
  {
    const Result<SpawnedProcess> spawned = spawn(helper({"linger"}));
    ASSERT_TRUE(spawned);
    pid = spawned->pid;
  }
  EXPECT_NE(::kill(pid, 0), 0);
}

TEST(CommandText, QuotesWhatAShellWouldSplitAndCutsWhatIsLong) {
  EXPECT_EQ(command_text({"ls", "-l", "a b", "", "it's"}), R"(ls -l 'a b' '' 'it'\''s')");
  const std::string text = command_text({"cat", std::string(100000, 'x')});
  EXPECT_LE(text.size(), 310U);
  EXPECT_TRUE(text.ends_with("..."));
}

}  // namespace
}  // namespace hostmesh::test
