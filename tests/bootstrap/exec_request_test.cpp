#include "hostmesh/bootstrap/exec_request.hpp"

#include <gtest/gtest.h>

#include <string_view>

namespace hostmesh::bootstrap {
namespace {

Result<ExecRequest> unpacked(std::string_view entries) {
  return unpack_exec_request(ByteView(reinterpret_cast<const std::uint8_t*>(entries.data()), entries.size()));
}

TEST(ExecRequest, EachEntryIsALetterATextAndAZero) {
  using namespace std::string_view_literals;

  const auto request = unpacked("Mmark\n\0D/tmp\0I\0K\0T\0Rtcp:1.2.3.4:5\0EA=1=2\0EB=\0Als\0A\0A-l\0"sv);

  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->marker, "mark\n");
  EXPECT_EQ(request->working_directory, "/tmp");
  EXPECT_TRUE(request->adds_to_environment);
  EXPECT_TRUE(request->kills_when_unread);
  EXPECT_TRUE(request->binds_where_login_came_in);
  EXPECT_EQ(request->reaches, "tcp:1.2.3.4:5");
  EXPECT_EQ(request->environment, (std::vector<std::string>{"A=1=2", "B="}));
  EXPECT_EQ(request->argv, (std::vector<std::string>{"ls", "", "-l"}));
}

TEST(ExecRequest, WhatIsCutOrUnknownIsRefused) {
  using namespace std::string_view_literals;

  EXPECT_FALSE(unpacked("Mmark"sv));
  EXPECT_FALSE(unpacked("Mmark\0\0"sv));
  const auto unknown = unpacked("Zx\0"sv);
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().text().find("'Z', which this version does not know"), std::string::npos);
}

TEST(ExecRequest, AnotherVersionIsRefusedAndBothAreSaid) {
  using namespace std::string_view_literals;

  EXPECT_TRUE(unpacked("V" HOSTMESH_VERSION "\0Mmark\0"sv));
  // Before anything that only the other version knows.
  const auto other = unpacked("V77.8.9\0Zx\0"sv);

  ASSERT_FALSE(other);
  EXPECT_NE(other.error().text().find("this is version " HOSTMESH_VERSION), std::string::npos);
  EXPECT_NE(other.error().text().find("its client is 77.8.9"), std::string::npos);
}

TEST(ExecRequest, AnotherPatchOfTheSameVersionWillDo) {
  const std::string version = HOSTMESH_VERSION;
  const std::string patched = "V" + version.substr(0, version.rfind('.')) + ".4711";

  EXPECT_TRUE(unpacked(std::string_view(patched.c_str(), patched.size() + 1)));
}

}  // namespace
}  // namespace hostmesh::bootstrap
