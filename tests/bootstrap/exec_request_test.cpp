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

  const auto request = unpacked("Mmark\n\0D/tmp\0I\0K\0EA=1=2\0EB=\0Als\0A\0A-l\0"sv);

  ASSERT_TRUE(request) << request.error().text();
  EXPECT_EQ(request->marker, "mark\n");
  EXPECT_EQ(request->working_directory, "/tmp");
  EXPECT_TRUE(request->adds_to_environment);
  EXPECT_TRUE(request->kills_when_unread);
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

}  // namespace
}  // namespace hostmesh::bootstrap
