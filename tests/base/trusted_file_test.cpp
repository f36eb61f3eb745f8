#include "hostmesh/base/trusted_file.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

namespace hostmesh::test {
namespace {

namespace fs = std::filesystem;

class TrustedFile : public ::testing::Test {
 protected:
  TrustedFile() {
    std::string name = (fs::temp_directory_path() / "trusted-XXXXXX").string();
    top_ = fs::canonical(::mkdtemp(name.data()));
    fs::create_directories(folder());
    std::ofstream(file()) << "text";
    set_mode(top_ / "above", 0755);
    set_mode(folder(), 0755);
    set_mode(file(), 0644);
  }
  ~TrustedFile() override {
    std::error_code ignored;
    fs::remove_all(top_, ignored);
  }

  fs::path top() const { return top_; }
  fs::path folder() const { return top_ / "above/folder"; }
  fs::path file() const { return folder() / "file"; }
  static void set_mode(const fs::path& what, mode_t mode) { ASSERT_EQ(::chmod(what.c_str(), mode), 0); }
  static void give_away(const fs::path& what) {
    if (::lchown(what.c_str(), 54321, 54321) != 0) GTEST_SKIP() << "only root can give files away";
  }
  static std::string reason(const fs::path& what, trust::Folder folder = trust::Folder::kOfFile) {
    const auto distrust = why_not_trusted(what, folder);
    return distrust ? distrust->reason : "";
  }

 private:
  fs::path top_;
};

TEST_F(TrustedFile, IsOneThatOnlyItsUserCanWriteTo) {
  EXPECT_EQ(reason(file()), "");
  EXPECT_EQ(reason("/dev/null"), "");
}

TEST_F(TrustedFile, IsNoneThatOthersCanWriteTo) {
  set_mode(file(), 0646);
  EXPECT_EQ(reason(file()), "it can be written to by others (mode 0646)");
  EXPECT_EQ(why_not_trusted(file())->hint, "chmod go-w " + file().string());
}

TEST_F(TrustedFile, IsNoneOfAStranger) {
  give_away(file());
  EXPECT_EQ(reason(file()),
            "it belongs to user 54321, who is neither root, this user nor the owner of this program");
}

TEST_F(TrustedFile, IsNoneInAFolderThatOthersCanWriteTo) {
  set_mode(folder(), 0757);
  EXPECT_EQ(reason(file()), "its folder " + folder().string() + " can be written to by others (mode 0757)");
}

TEST_F(TrustedFile, MayBeInAStickyFolderUnlessThatIsRefused) {
  set_mode(folder(), 01777);
  EXPECT_EQ(reason(file()), "");
  EXPECT_EQ(reason(file(), trust::Folder::kStrict),
            "its folder " + folder().string() + " can be written to by others (mode 1777)");
}

TEST_F(TrustedFile, IsNoneInAFolderOfAStranger) {
  give_away(folder());
  EXPECT_NE(reason(file()).find("its folder " + folder().string() + " belongs to user 54321"),
            std::string::npos);
}

TEST_F(TrustedFile, IsNoneWhereAnyFolderAboveCanBeReplaced) {
  set_mode(top() / "above", 0777);
  EXPECT_EQ(reason(file()), "the folder above it, " + (top() / "above").string() +
                                " can be written to by others (mode 0777)");
  set_mode(top() / "above", 01777);
  EXPECT_EQ(reason(file()), "");
  give_away(top() / "above");
  EXPECT_NE(reason(file()).find("belongs to user 54321"), std::string::npos);
}

TEST_F(TrustedFile, BehindALinkIsTrustedWhereBothWaysAre) {
  const fs::path link = top() / "link";
  fs::create_symlink(file(), link);
  EXPECT_EQ(reason(link), "");
  set_mode(top(), 0777);
  EXPECT_NE(reason(link), "");
  set_mode(top(), 0700);
  set_mode(folder(), 0777);
  EXPECT_NE(reason(link), "");
}

TEST_F(TrustedFile, ThatIsMissingIsNotTrustedWithTheReason) {
  const auto distrust = why_not_trusted(folder() / "nobody");
  ASSERT_TRUE(distrust);
  EXPECT_EQ(distrust->error_number, ENOENT);
}

TEST_F(TrustedFile, MayBeAPipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  EXPECT_EQ(reason("/proc/self/fd/" + std::to_string(ends[0])), "");
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace hostmesh::test
