// The text of meshes of hosts, and their parts.
#include "hostmesh/mesh/host_ref.hpp"

#include <gtest/gtest.h>

#include <random>

namespace hostmesh {
namespace {

constexpr const char* kReplicas = "test:local:1,local:2,local:3,local:4@replica=2/2,host=2/1";

HostMeshRef parsed(std::string_view text) {
  return value_or_throw(HostMeshRef::parse(text));
}

HostMeshRef mesh_of(std::vector<ChannelAddr> addrs, const Region& region) {
  std::vector<HostRef> hosts;
  for (ChannelAddr& addr : addrs) hosts.emplace_back(std::move(addr));
  return value_or_throw(HostMeshRef::make(value_or_throw(Name::reserved("m")), region, std::move(hosts)));
}

TEST(HostMeshRef, ParsesBackWhatItPrints) {
  const HostMeshRef mesh = parsed(kReplicas);

  EXPECT_EQ(mesh.text(), kReplicas);
  EXPECT_EQ(mesh.name().text(), "test");
  ASSERT_EQ(mesh.hosts().size(), 4u);
  EXPECT_EQ(mesh.hosts()[3].addr(), ChannelAddr::local(4));
}

TEST(HostMeshRef, ARangeKeepsTheDimensionAndTheCoordinatesOfTheWhole) {
  const auto part = parsed(kReplicas).range("replica", Range::single(1));

  ASSERT_TRUE(part);
  EXPECT_EQ(part->text(), "test:local:3,local:4@2+replica=1/2,host=2/1");
  EXPECT_EQ(parsed(part->text()), *part);
}

TEST(HostMeshRef, ARangeOfAPartPicksFromThatPart) {
  const auto part = parsed(kReplicas).range("replica", Range::single(1));
  ASSERT_TRUE(part);

  const auto one = part->range("host", Range::single(1));

  ASSERT_TRUE(one);
  EXPECT_EQ(one->text(), "test:local:4@3+replica=1/2,host=1/1");
}

TEST(HostMeshRef, ARangeAlongTheInnerDimensionIsStrided) {
  const auto column = parsed(kReplicas).range("host", Range::single(0));

  ASSERT_TRUE(column);
  EXPECT_EQ(column->text(), "test:local:1,local:3@replica=2/2,host=1/1");
}

TEST(HostMeshRef, AnUnknownLabelIsRefused) {
  const auto part = parsed(kReplicas).range("gpu", Range::single(0));

  ASSERT_FALSE(part);
  EXPECT_NE(part.error().text().find("gpu"), std::string::npos) << part.error().text();
}

TEST(HostMeshRef, ARegionOfAnotherMeshIsNotAPart) {
  EXPECT_FALSE(parsed("test:local:1@host=1/1").sliced(parsed(kReplicas).region()));
}

TEST(HostMeshRef, WithoutDimensionsItIsOneHost) {
  const HostMeshRef mesh = parsed("n:local:1@");

  EXPECT_EQ(mesh.hosts().size(), 1u);
  EXPECT_EQ(mesh.text(), "n:local:1@");
}

TEST(HostMeshRef, EveryKindOfAddressParsesBack) {
  const std::vector<ChannelAddr> addrs{value_or_throw(ChannelAddr::tcp("127.0.0.1", 80)),
                                       value_or_throw(ChannelAddr::tcp("::1", 8080)),
                                       ChannelAddr::unix_abstract("x"),
                                       ChannelAddr::unix_abstract("a@b,c%d"),
                                       ChannelAddr::unix_path("/tmp/a,b"),
                                       ChannelAddr::unix_path("/tmp/100%"),
                                       ChannelAddr::unix_path("/tmp/me@here"),
                                       ChannelAddr::unix_path("/tmp/%2C"),
                                       ChannelAddr::unix_path("/tmp/one\"quote"),
                                       ChannelAddr::unix_path(" blanks around "),
                                       ChannelAddr::unix_path("/tmp/back\\slash"),
                                       ChannelAddr::local(7)};
  const HostMeshRef mesh = mesh_of(addrs, Extent{{"hosts", addrs.size()}});

  const auto again = HostMeshRef::parse(mesh.text());

  ASSERT_TRUE(again) << again.error().text();
  EXPECT_EQ(*again, mesh) << mesh.text();
}

TEST(HostMeshRef, AnAbstractAddressIsReadableInItsText) {
  EXPECT_EQ(mesh_of({ChannelAddr::unix_abstract("x")}, Extent{{"hosts", 1}}).text(), "m:unix:@x@hosts=1/1");
}

TEST(HostMeshRef, LabelsThatNeedQuotesMayContainTheRegionsMark) {
  const HostMeshRef mesh =
      mesh_of({ChannelAddr::unix_abstract("x"), ChannelAddr::unix_abstract("y")}, Extent{{"a@b,\"c\"", 2}});

  const auto again = HostMeshRef::parse(mesh.text());

  ASSERT_TRUE(again) << again.error().text() << " in " << mesh.text();
  EXPECT_EQ(*again, mesh) << mesh.text();
}

TEST(HostMeshRef, BlanksAroundHostsAreAllowed) {
  EXPECT_EQ(parsed("m: local:1 , local:2@hosts=2/1").text(), "m:local:1,local:2@hosts=2/1");
}

TEST(HostMeshRef, TheWrongNumberOfHostsIsRefusedWithBothNumbers) {
  const auto mesh = HostMeshRef::parse("m:local:1,local:2@hosts=3/1");

  ASSERT_FALSE(mesh);
  EXPECT_NE(mesh.error().text().find("3 ranks"), std::string::npos) << mesh.error().text();
  EXPECT_NE(mesh.error().text().find("2 hosts"), std::string::npos) << mesh.error().text();
}

class Garbage : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(HostMeshRef, Garbage,
                         ::testing::Values("", "m", "local:1@hosts=1/1", ":local:1@hosts=1/1", "m:local:1",
                                           "m:@hosts=1/1", "m:local:1,@hosts=1/1", "m:local:1,@hosts=2/1",
                                           "m:,local:1@hosts=1/1", "m:local:x@hosts=1/1",
                                           "m:carrier:pigeon@hosts=1/1", "m:local:1@hosts",
                                           "m:local:1@hosts=1", "m:unix:/a%@hosts=1/1",
                                           "m:unix:/a%2@hosts=1/1", "m:unix:/a%zz@hosts=1/1",
                                           "m:local:1@\"hosts=1/1", "not a name:local:1@",
                                           "m:local:1@hosts=1/1@"));
TEST_P(Garbage, IsRefusedAndQuoted) {
  const auto mesh = HostMeshRef::parse(GetParam());

  ASSERT_FALSE(mesh) << mesh->text();
  EXPECT_EQ(mesh.error().cause(), Cause::kInvalidArgument);
  EXPECT_NE(mesh.error().text().find(std::string("'") + GetParam() + "'"), std::string::npos)
      << mesh.error().text();
}

TEST(HostMeshRef, AnyNamesOfSocketsParseBack) {
  std::mt19937 random(20250);
  for (int round = 0; round < 300; ++round) {
    std::vector<ChannelAddr> addrs;
    const std::size_t count = 1 + random() % 4;
    for (std::size_t i = 0; i < count; ++i) {
      std::string name;
      const std::size_t length = 1 + random() % 12;
      for (std::size_t c = 0; c < length; ++c) name += static_cast<char>(' ' + random() % 95);
      addrs.push_back(random() % 2 == 0 ? ChannelAddr::unix_abstract(name)
                                        : ChannelAddr::unix_path("/" + name));
    }
    const HostMeshRef mesh = mesh_of(addrs, Extent{{"hosts", count}});
    const auto again = HostMeshRef::parse(mesh.text());
    ASSERT_TRUE(again) << again.error().text();
    ASSERT_EQ(*again, mesh) << mesh.text();
  }
}

TEST(HostRef, EverythingOnAHostIsNamedAfterItsAddress) {
  const HostRef host(ChannelAddr::unix_abstract("x"));

  EXPECT_EQ(host.service_proc().text(), "unix:@x,service");
  EXPECT_EQ(host.agent().text(), "unix:@x,service,agent[0]");
  EXPECT_EQ(host.named_proc("w_3").text(), "unix:@x,w_3");
}

}  // namespace
}  // namespace hostmesh
