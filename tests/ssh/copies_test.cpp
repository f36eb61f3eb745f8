#include "copies.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <system_error>

namespace hostmesh_ssh {
namespace {

const std::atomic<bool> kNotCancelled = false;

class SshCopies : public ::testing::Test {
 protected:
  SshCopies() {
    std::string name = (std::filesystem::temp_directory_path() / "hostmesh_copies.XXXXXX").string();
    const int fd = ::mkstemp(name.data());
    if (fd >= 0) ::close(fd);
    file_ = name;
  }
  ~SshCopies() override { std::filesystem::remove(file_); }

  Copy copy_of(const std::string& content) const {
    std::ofstream(file_, std::ios::binary) << content;
    return read_copy(file_, kNotCancelled).value();
  }

  std::string file_;
};

// What `cksum` and `b2sum -l 160` print.
TEST_F(SshCopies, AFileIsKnownByItsContent) {
  EXPECT_EQ(copy_of("").checksum, 4294967295U);
  const Copy copy = copy_of("123456789");

  EXPECT_EQ(copy.checksum, 930766865U);
  EXPECT_EQ(copy.size, 9U);
  EXPECT_EQ(copy.digest.size(), 40U);
  EXPECT_EQ(copy_of("123456789"), copy);
  EXPECT_NE(copy_of("123456780").digest, copy.digest);
  EXPECT_EQ(copy.machine, "");
}

TEST_F(SshCopies, AProgramSaysForWhichMachineItIs) {
  const auto own = read_copy("/proc/self/exe", kNotCancelled);

  ASSERT_TRUE(own);
#if defined(__x86_64__)
  EXPECT_EQ(own->machine, "Linux x86_64");
#elif defined(__aarch64__)
  EXPECT_EQ(own->machine, "Linux aarch64");
#endif
}

TEST_F(SshCopies, WhatCannotBeReadIsAnErrorAndWhatIsNotWantedAnyMoreIsNot) {
  EXPECT_THROW(read_copy("/nowhere/at/all", kNotCancelled), std::system_error);
  const std::atomic<bool> cancelled = true;
  EXPECT_EQ(read_copy("/proc/self/exe", cancelled), std::nullopt);
}

// One word in single quotes, which no shell that we know reads anything into.
TEST_F(SshCopies, NothingInACommandMeansAnythingToALoginShell) {
  const Copy copy = copy_of("some program");
  for (const std::string& command :
       {start_command(copy, ""), copy_command(copy, "", "0123abcd"), start_command(copy, "~/a$USER/b"),
        copy_command(copy, "/a/b", "0123abcd")}) {
    ASSERT_TRUE(command.starts_with("sh -c '") && command.ends_with("'")) << command;
    const std::string script = command.substr(7, command.size() - 8);
    EXPECT_EQ(script.find_first_of("'\\!\n\r`"), std::string::npos) << command;
    EXPECT_NE(script.find(copy.digest), std::string::npos) << command;
  }
}

}  // namespace
}  // namespace hostmesh_ssh
